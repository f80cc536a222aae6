using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.ZfsStorage;
using ZfsSnapshotManager.UnitTests.Rotation;
using ZfsSnapshotManager.UnitTests.Zfs;

namespace ZfsSnapshotManager.UnitTests.Server.ZfsStorage;

/// <summary>Quotas and space are set and read when they change, not for each part.</summary>
public sealed class ClientDatasetsTests : IDisposable
{
    private static readonly ClientEntry Client = new()
    {
        ClientId = "web1",
        ApiKey = "",
        Dataset = "tank/web1",
        MaxSizeBytes = 1000,
    };

    private readonly TemporaryFolder _folder = new();
    private readonly ScriptedPrograms _programs = new();
    private readonly SetTime _time = new(History.Now);
    private readonly ClientDatasets _datasets;

    public ClientDatasetsTests()
    {
        // Notes each command, and answers from a file what a property is.
        var zfs = _programs.Zfs(
            $"""
            cd {_folder.Path}
            echo "$*" >> commands
            [ "$1" = get ] && cat answer
            exit 0
            """
        );
        _datasets = new ClientDatasets(TestSettings.In(_folder), zfs, _time, new KeptLog<ClientDatasets>());
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string[] Commands =>
        File.Exists(Path.Combine(_folder.Path, "commands"))
            ? File.ReadAllLines(Path.Combine(_folder.Path, "commands"))
            : [];

    public void Dispose()
    {
        _folder.Dispose();
        _programs.Dispose();
    }

    [Fact]
    public async Task A_quota_is_set_when_it_changes_and_again_after_some_minutes()
    {
        foreach (var quota in (long[])[1000, 1000, 900, 900])
            Assert.True(await _datasets.TrySetQuotaAsync(Client, quota, Token));
        Assert.Equal(
            ((long[])[1000, 900]).Select(quota => $"set quota={quota} zfs-snapshot-manager:quota={quota} tank/web1"),
            Commands
        );

        _time.Advance(TimeSpan.FromMinutes(11));
        await _datasets.TrySetQuotaAsync(Client, 900, Token);
        Assert.Equal(3, Commands.Length);
    }

    [Theory]
    [InlineData("5000", "-", false)]
    [InlineData("5000", "4000", false)]
    [InlineData("5000", "5000", true)]
    public async Task Without_a_quota_only_the_servers_own_is_removed(string quota, string own, bool removed)
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.Path, "answer"), $"{quota}\n{own}\n", Token);

        foreach (var _ in (int[])[1, 2, 3])
            Assert.True(await _datasets.TrySetQuotaAsync(Client, 0, Token));

        Assert.Single(Commands, command => command.StartsWith("get", StringComparison.Ordinal));
        Assert.Equal(removed, Commands.Contains("set quota=none zfs-snapshot-manager:quota=none tank/web1"));
    }

    [Fact]
    public async Task Parts_are_accepted_by_the_space_that_was_read_until_it_is_old_or_does_not_suffice()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.Path, "answer"), "500\n", Token);
        Assert.False(_datasets.TryAccept("web1", 1, most: 1000));
        Assert.Equal(500, await _datasets.GetUsedAsync(Client, Token));

        Assert.True(_datasets.TryAccept("web1", 300, most: 1000));
        Assert.True(_datasets.TryAccept("web1", 200, most: 1000));
        Assert.False(_datasets.TryAccept("web1", 1, most: 1000));

        await _datasets.GetUsedAsync(Client, Token);
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.False(_datasets.TryAccept("web1", 1, most: 1000));
        Assert.Equal(500, _datasets.LastUsed("web1"));
    }

    /// <summary>Each of them is left to the requests that need it; the others are served.</summary>
    [Fact]
    public async Task A_start_neither_waits_for_a_suspended_pool_nor_fails_for_it()
    {
        using var programs = new ScriptedPrograms();
        var zfs = programs.Zfs(
            """
            for last; do :; done
            case "$last" in
            slow/*) exec sleep 30 ;;
            away/*) echo "cannot open '$last': pool I/O is currently suspended" >&2; exit 1 ;;
            esac
            """
        );
        var log = new KeptLog<ClientDatasets>();
        var datasets = new ClientDatasets(TestSettings.In(_folder), zfs, _time, log)
        {
            StartPatience = TimeSpan.FromSeconds(1),
        };

        await datasets.CheckAsync(
            [
                .. ((string[])["slow/a", "slow/b", "away/a", "away/b", "tank/a"]).Select(dataset =>
                    Client with
                    {
                        Dataset = dataset,
                        StorageType = StorageTypes.Local,
                    }
                ),
            ],
            Token
        );

        Assert.Equal(3, programs.Count);
        Assert.Collection(
            log.Lines,
            line => Assert.Contains("did not answer within 1 s", line, StringComparison.Ordinal),
            line => Assert.Contains("currently suspended", line, StringComparison.Ordinal)
        );
    }
}
