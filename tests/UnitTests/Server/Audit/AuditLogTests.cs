using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.UnitTests.Server.Audit;

public sealed class AuditLogTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero);

    private readonly TemporaryFolder _folder = new();
    private readonly SetTime _time = new(Start);
    private readonly KeptLog<AuditLog> _log = new();

    private string Path => _folder.File("audit.log");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_event_is_one_line_of_JSON_that_only_the_owner_can_read()
    {
        Open()
            .Write(
                ServerEvent.Of(
                    ServerEvents.ClientChanged,
                    EventActor.Admin,
                    _time.GetUtcNow(),
                    ("enabled", "true to\nfalse")
                ) with
                {
                    Id = "1",
                    ClientId = "web1",
                }
            );

        Assert.Equal(
            "{\"id\":\"1\",\"time\":\"2026-11-24T12:00:00+00:00\",\"event\":\"client.changed\",\"client_id\":\"web1\","
                + "\"actor\":\"admin\",\"details\":{\"enabled\":\"true to\\nfalse\"}}\n",
            File.ReadAllText(Path)
        );
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
        var (events, broken) = Ask();
        Assert.Equal(
            ("web1", "true to\nfalse", 0),
            (events.Single().ClientId, events.Single().Details!["enabled"], broken)
        );
    }

    [Fact]
    public async Task Concurrent_writers_lose_nothing_while_files_are_rotated()
    {
        const int Writers = 4,
            Each = 60;
        var text = new string('x', 50_000); // 240 lines of 50 kB: a dozen files of 1 MiB

        await Task.WhenAll(
            Enumerable
                .Range(0, Writers)
                .Select(writer =>
                    Task.Run(
                        () =>
                        {
                            // Each with a lock of its own, as processes have.
                            var log = Open(("AUDIT_MAX_MIB", "1"), ("AUDIT_FILES", "100"));
                            for (var number = 0; number < Each; number++)
                                log.Write(Event($"{writer}-{number}", text));
                        },
                        TestContext.Current.CancellationToken
                    )
                )
        );

        Assert.Empty(_log.Lines);
        var (events, broken) = Ask();
        Assert.Equal(0, broken);
        Assert.Equal(Writers * Each, events.Select(e => e.SnapshotId).Distinct().Count());
        for (var writer = 0; writer < Writers; writer++)
            Assert.Equal(
                Enumerable.Range(0, Each).Select(number => $"{writer}-{number}"),
                events.Select(e => e.SnapshotId!).Where(id => id.StartsWith($"{writer}-", StringComparison.Ordinal))
            );
        Assert.All(Directory.GetFiles(_folder.Path, "audit.log*"), file =>
            Assert.InRange(new FileInfo(file).Length, 0, 1024 * 1024)
        );
        Assert.True(File.Exists(Path + ".5"));
    }

    [Fact]
    public void The_number_of_old_files_is_limited()
    {
        File.WriteAllText(Path + ".1", "of a time when more were kept\n");
        File.WriteAllText(Path + ".2", "likewise\n");
        File.WriteAllText(Path + ".3", "likewise\n");
        var log = Open(("AUDIT_MAX_MIB", "1"), ("AUDIT_FILES", "2"), ("AUDIT_DAYS", "0"));
        SetAge(TimeSpan.FromDays(1));
        var half = new string('x', 600_000);

        for (var number = 0; number < 6; number++)
        {
            log.Write(Event($"{number}", half));
            SetAge(TimeSpan.FromDays(1));
        }

        Assert.Equal(["audit.log", "audit.log.1", "audit.log.2"], Files());
        Assert.Equal(["3", "4", "5"], Ask().Events.Select(e => e.SnapshotId));
    }

    [Fact]
    public void Events_that_are_not_old_enough_stay_up_to_ten_times_as_many_files()
    {
        var log = Open(("AUDIT_MAX_MIB", "1"), ("AUDIT_FILES", "1"), ("AUDIT_DAYS", "30"));
        var half = new string('x', 600_000);

        for (var number = 0; number < 15; number++)
        {
            log.Write(Event($"{number}", half));
            SetAge(TimeSpan.FromDays(29));
        }

        Assert.Equal(Enumerable.Range(4, 11).Select(number => $"{number}"), Ask().Events.Select(e => e.SnapshotId));
        SetAge(TimeSpan.FromDays(31));
        log.Write(Event("last", half));
        Assert.Equal(["14", "last"], Ask().Events.Select(e => e.SnapshotId));
    }

    [Fact]
    public void Failures_have_files_of_their_own_and_wash_nothing_away()
    {
        var log = Open(("AUDIT_MAX_MIB", "1"), ("AUDIT_FILES", "1"), ("AUDIT_DAYS", "3650"));
        log.Write(Event("kept"));
        for (var number = 0; number < 5; number++)
            log.WriteFailures([Event($"{number}", new string('x', 600_000)) with { Event = ServerEvents.AuthFailed }]);

        Assert.Equal(["kept"], Ask().Events.Select(e => e.SnapshotId));
        Assert.Equal(
            ["kept", "3", "4"],
            new AuditQuery { Limit = 10 }
                .Run([Path, _folder.File("audit-failures.log")], [])
                .Events.Select(e => e.SnapshotId)
        );
    }

    [Fact]
    public void Events_that_were_written_before_a_crash_are_not_written_again()
    {
        var log = Open();
        ServerEvent[] events = [Event("1"), Event("2"), Event("3")];
        log.Exclusively(append => append(events[..2]));
        log.Write(Event("of a command"));
        File.AppendAllText(Path, $"{{\"id\":\"{events[2].Id}\",\"time\":\"2026-11-2"); // torn

        log.Exclusively(append => append(events));

        Assert.Equal(["1", "2", "of a command", "3"], Ask().Events.Select(e => e.SnapshotId));
    }

    [Fact]
    public void A_truncated_line_does_not_damage_the_lines_after_it()
    {
        var log = Open();
        log.Write(Event("1"));
        File.AppendAllText(Path, "{\"time\":\"2026-11-2");

        log.Write(Event("2"));
        log.Write(Event("3"));

        var (events, broken) = Ask();
        Assert.Equal(["1", "2", "3"], events.Select(e => e.SnapshotId));
        Assert.Equal(1, broken);
    }

    [Fact]
    public void A_failed_write_is_logged_once_a_minute_and_fails_no_request()
    {
        Directory.CreateDirectory(Path); // nothing can be appended to a directory
        var log = Open();

        for (var second = 0; second < 90; second++)
        {
            log.Write(Event("1"));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(2, _log.Lines.Count);
        Assert.All(_log.Lines, line =>
            Assert.Contains("The audit log cannot be written", line, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void A_query_filters_by_client_event_and_time_and_limits_the_number()
    {
        var log = Open();
        foreach (
            var (name, client) in ((string, string)[])
                [("client.added", "a"), ("client.key_rotated", "b"), ("auth.failed", "a"), ("client.removed", "a")]
        )
        {
            log.Write(ServerEvent.Of(name, EventActor.Admin, _time.GetUtcNow()) with { ClientId = client });
            _time.Advance(TimeSpan.FromHours(1));
        }

        Assert.Equal(
            ["client.added", "auth.failed", "client.removed"],
            Names(new AuditQuery { ClientId = "a", Limit = 10 })
        );
        Assert.Equal(
            ["client.added", "client.key_rotated", "client.removed"],
            Names(new AuditQuery { Event = "client", Limit = 10 })
        );
        Assert.Equal(["auth.failed"], Names(new AuditQuery { Event = "auth.failed", Limit = 10 }));
        Assert.Empty(Names(new AuditQuery { Event = "cli", Limit = 10 }));
        Assert.Equal(
            ["auth.failed", "client.removed"],
            Names(new AuditQuery { Since = Start.AddHours(2), Limit = 10 })
        );
        Assert.Equal(["client.removed"], Names(new AuditQuery { Limit = 1 }));
        Assert.Empty(
            new AuditQuery { Limit = 1 }
                .Run([_folder.File("none/audit.log")], [])
                .Events
        );

        IEnumerable<string> Names(AuditQuery query) => query.Run([Path], []).Events.Select(e => e.Event);
    }

    [Fact]
    public void Fields_that_a_later_version_adds_do_not_make_a_line_broken()
    {
        File.WriteAllText(
            Path,
            "{\"time\":\"2026-11-24T12:00:00Z\",\"event\":\"backup.pinned\",\"actor\":\"admin\",\"mood\":\"good\"}\n"
                + "[]\nnull\n"
        );

        var (events, broken) = Ask();

        Assert.Equal("backup.pinned", events.Single().Event);
        Assert.Equal(2, broken);
    }

    private AuditLog Open(params (string, string)[] settings) => new(TestSettings.In(_folder, settings), _time, _log);

    private (IReadOnlyList<ServerEvent> Events, int Broken) Ask() => new AuditQuery { Limit = 100_000 }.Run([Path], []);

    /// <summary>By the clock of the test.</summary>
    private void SetAge(TimeSpan age)
    {
        foreach (var file in Directory.GetFiles(_folder.Path, "audit.log*"))
            File.SetLastWriteTimeUtc(file, (_time.GetUtcNow() - age).UtcDateTime);
    }

    private IEnumerable<string> Files() =>
        Directory
            .GetFiles(_folder.Path, "audit.log*")
            .Select(file => System.IO.Path.GetFileName(file))
            .Where(file => !file.EndsWith(".lock", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);

    private ServerEvent Event(string id, string? text = null) =>
        ServerEvent.Of(
            ServerEvents.BackupCommitted,
            EventActor.Client,
            _time.GetUtcNow(),
            text is null ? [] : [("text", text)]
        ) with
        {
            SnapshotId = id,
        };
}
