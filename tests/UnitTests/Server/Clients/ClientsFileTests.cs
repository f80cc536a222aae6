using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.UnitTests.Server.Clients;

public sealed class ClientsFileTests
{
    private static readonly string Hash = ApiKey.Hash("x");

    [Fact]
    public void The_file_of_the_first_program_is_read_field_by_field()
    {
        var client = Assert.Single(
            Parse(
                $$"""
                // a comment
                [{"client_id": "client1", "api_key": "{{Hash}}", "max_size_bytes": 107374182400,
                  "dataset": "backup/client1", "enabled": true, "storage_type": "s3",
                  "rotation_policy": {"keep_hourly": 1, "keep_daily": 2, "keep_weekly": 3, "keep_monthly": 4},}]
                """
            )
        );

        var expected = new ClientEntry
        {
            ClientId = "client1",
            ApiKey = Hash,
            MaxSizeBytes = 107374182400,
            Dataset = "backup/client1",
            RotationPolicy = new RotationPolicy
            {
                KeepHourly = 1,
                KeepDaily = 2,
                KeepWeekly = 3,
                KeepMonthly = 4,
            },
        };
        Assert.Equal(expected, client);
    }

    [Fact]
    public void The_remedy_for_denied_access_keeps_the_file_and_its_keys()
    {
        var denied = ClientsFile.RemedyFor("/data/clients.json", new UnauthorizedAccessException());

        Assert.Contains("chown USER /data/clients.json", denied, StringComparison.Ordinal);
        Assert.DoesNotContain("add the clients again", denied, StringComparison.Ordinal);
        var broken = Assert.Throws<OperationException>(() => Parse("{}"));
        Assert.Equal(ClientsFile.RemedyFor("/data/clients.json", fault: null), broken.Remedy);
        Assert.Contains("add the clients again", broken.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void An_old_key_is_written_and_read_back()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("clients.json");
        var client = new ClientEntry
        {
            ClientId = "a",
            ApiKey = Hash,
            OldApiKey = ApiKey.Hash("old"),
            OldApiKeyUntil = new DateTimeOffset(2026, 11, 30, 12, 0, 0, TimeSpan.Zero),
        };

        ClientsFile.Change(path, _ => [client]);

        Assert.Equal([client], ClientsFile.Read(path));
        Assert.Contains(
            "\"old_api_key_until\": \"2026-11-30T12:00:00+00:00\"",
            File.ReadAllText(path),
            StringComparison.Ordinal
        );
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Theory]
    [InlineData("[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"old_api_key\": \"HASH\"}]", "must be set together")]
    [InlineData(
        "[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"old_api_key_until\": \"2026-11-30T12:00:00Z\"}]",
        "must be set together"
    )]
    [InlineData(
        "[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"old_api_key\": \"short\", \"old_api_key_until\": "
            + "\"2026-11-30T12:00:00Z\"}]",
        "entry 1 (a): old_api_key"
    )]
    [InlineData(
        "[\n{\"client_id\": \"a\", \"api_key\": \"HASH\",\n\"old_api_key_until\": \"tomorrow\"}]",
        "line 3, … field [0].old_api_key_until"
    )]
    [InlineData(
        "[\n{\"client_id\": \"a\", \"api_key\": \"HASH\",\n\"enabled\": \"yes\"}]",
        "line 3, … field [0].enabled"
    )]
    [InlineData("[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"quota\": 1}]", "quota")]
    [InlineData(
        "[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"dataset\": \"/tank/x\"}]",
        "entry 1 (a): dataset '/tank/x'"
    )]
    [InlineData(
        "[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"dataset\": \"tank/x\"}, "
            + "{\"client_id\": \"b\", \"api_key\": \"HASH\", \"dataset\": \"tank/x\"}]",
        "dataset 'tank/x' is that of a and b"
    )]
    [InlineData(
        "[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"rotation_policy\": {\"keep_daily\": 1000001}}]",
        "entry 1 (a): rotation_policy: keep_daily is 1000001; expected 0 to 1000000"
    )]
    [InlineData(
        "[{\"client_id\": \"a\", \"api_key\": \"HASH\", \"rotation_policy\": {\"keep_hourly\": -1}}]",
        "entry 1 (a): rotation_policy: keep_hourly is -1"
    )]
    [InlineData("[{\"client_id\": \"a\", \"api_key\": \"HASH\"", "line 1")]
    public void A_broken_file_is_named_with_its_path(string text, string fault)
    {
        var broken = Assert.Throws<OperationException>(() =>
            Parse(text.Replace("HASH", Hash, StringComparison.Ordinal))
        );

        Assert.Equal(ExitCode.Configuration, broken.ExitCode);
        Assert.All(fault.Split('…'), part => Assert.Contains(part, broken.Message, StringComparison.Ordinal));
        Assert.DoesNotContain(Hash, broken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Concurrent_changes_are_all_kept()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("clients.json");

        Parallel.For(0, 20, number =>
            ClientsFile.Change(path, clients =>
                [.. clients, new ClientEntry { ClientId = $"c{number}", ApiKey = Hash }]
            )
        );

        Assert.Equal(
            Enumerable.Range(0, 20).Select(number => $"c{number}").Order(),
            ClientsFile.Read(path).Select(client => client.ClientId).Order()
        );
    }

    [Fact]
    public void A_change_that_fails_leaves_the_file_as_it_was()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("clients.json");
        ClientsFile.Change(path, _ => [new ClientEntry { ClientId = "a", ApiKey = Hash }]);
        var before = File.ReadAllText(path);

        Assert.Throws<OperationException>(() =>
            ClientsFile.Change(path, clients => [.. clients, new ClientEntry { ClientId = "A", ApiKey = Hash }])
        );

        Assert.Equal(before, File.ReadAllText(path));
    }

    private static IReadOnlyList<ClientEntry> Parse(string text) =>
        ClientsFile.Parse("clients.json", Encoding.UTF8.GetBytes(text));
}
