using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Status;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Status;

public sealed class ReadyCheckTests
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(50);

    private readonly SetTime _time = new(DateTimeOffset.UnixEpoch);
    private readonly List<(ReadyResult Result, string? Detail)> _changes = [];
    private int _looks;

    [Fact]
    public async Task A_result_is_valid_for_some_seconds()
    {
        var check = Check(_ => Task.FromResult<ReadyFault?>(null));

        for (var ask = 0; ask < 100; ask++)
            Assert.True((await check.RunAsync()).Ok);
        Assert.Equal(1, _looks);
        _time.Advance(Lifetime);
        await check.RunAsync();

        Assert.Equal(2, _looks);
        Assert.Empty(_changes);
    }

    [Fact]
    public async Task A_fault_is_reported_once_and_so_is_its_end()
    {
        ReadyFault? fault = new("It is away.", "disk 7");
        var check = Check(_ => Task.FromResult<ReadyFault?>(fault));

        for (var ask = 0; ask < 3; ask++)
        {
            var result = await check.RunAsync();
            Assert.Equal((false, "It is away."), (result.Ok, result.Message));
            _time.Advance(Lifetime);
        }

        fault = null;
        Assert.True((await check.RunAsync()).Ok);
        Assert.Equal([(false, "disk 7"), (true, null)], _changes.Select(change => (change.Result.Ok, change.Detail)));
    }

    [Fact]
    public async Task A_check_that_hangs_is_given_up_and_not_repeated_while_it_hangs()
    {
        var hangs = new TaskCompletionSource<ReadyFault?>();
        var check = Check(_ => hangs.Task, Short);

        for (var ask = 0; ask < 3; ask++)
        {
            var result = await check.RunAsync();
            Assert.False(result.Ok);
            Assert.Contains("does not answer", result.Message, StringComparison.Ordinal);
            _time.Advance(Lifetime);
        }

        Assert.Equal(1, _looks);
        hangs.SetResult(null);
        Assert.True((await check.RunAsync()).Ok);
    }

    [Fact]
    public async Task A_check_that_obeys_its_token_is_given_up_too()
    {
        var check = Check(
            async token =>
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, token);
                return null;
            },
            Short
        );

        Assert.False((await check.RunAsync()).Ok);
    }

    [Fact]
    public async Task A_directory_that_is_not_the_store_fails_the_check()
    {
        using var folder = new TemporaryFolder();
        var store = new DirectoryStore(TestSettings.In(folder));
        store.Prepare();
        await File.WriteAllTextAsync(folder.File("objects/zfs-server.json"), "", TestContext.Current.CancellationToken);
        await store.PingAsync(TestContext.Current.CancellationToken);

        File.Delete(folder.File("objects/zfs-server.json"));

        await Assert.ThrowsAsync<StorageException>(async () =>
            await store.PingAsync(TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public void A_missing_catalogue_fails_the_check_and_is_not_created_again()
    {
        using var folder = new TemporaryFolder();
        var database = new CatalogueDatabase(TestSettings.In(folder, ("METADATA_FILE", folder.File("none.db"))));

        Assert.Throws<IOException>(database.Ping);
        Assert.False(File.Exists(folder.File("none.db")));
    }

    private ReadyCheck Check(Func<CancellationToken, Task<ReadyFault?>> look, TimeSpan? patience = null) =>
        new(
            "store",
            token =>
            {
                _looks++;
                return look(token);
            },
            patience ?? TimeSpan.FromMinutes(1),
            Lifetime,
            _time,
            (result, detail) => _changes.Add((result, detail))
        );
}
