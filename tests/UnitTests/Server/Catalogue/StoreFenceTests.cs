using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>The mark of the run in a real store that cannot be written, or that a copy of the catalogue used.</summary>
public sealed class StoreFenceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly SetTime _time = new(History.Now);
    private readonly KeptLog<StoreFence> _log = new();
    private readonly CatalogueDatabase _database;
    private readonly DirectoryStore _store;
    private readonly StoreOwnership _ownership;

    public StoreFenceTests()
    {
        var settings = TestSettings.In(_folder);
        _database = new CatalogueDatabase(settings);
        _database.Prepare();
        _store = new DirectoryStore(settings);
        _ownership = new StoreOwnership(
            _store,
            _database,
            new BackupCatalogue(_database),
            _time,
            new KeptLog<StoreOwnership>()
        );
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Where the new content of the mark is written first.</summary>
    private string Aside => _folder.File($"incoming/{ReservedKeys.Owner}");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_store_that_cannot_be_marked_is_marked_later_and_failed_starts_do_not_count()
    {
        await _ownership.ClaimAsync(Token);
        Directory.CreateDirectory(Aside);
        await StartAsync();
        await StartAsync();
        var fence = await StartAsync();
        await fence.DemandAsync(Token);
        Assert.Null((await ReadAsync()).Run);

        Directory.Delete(Aside);
        await fence.DemandAsync(Token);

        var owner = await ReadAsync();
        Assert.NotNull(owner.Run);
        Assert.Equal((1L, 1L), (owner.Epoch, _database.FindStoreEpoch()));
        Assert.Equal(4, _log.Lines.Count);
        await _ownership.CheckAsync(Token);
    }

    [Fact]
    public async Task A_server_that_could_not_mark_the_store_notices_one_that_did()
    {
        await _ownership.ClaimAsync(Token);
        Directory.CreateDirectory(Aside);
        var fence = await StartAsync();
        Directory.Delete(Aside);
        await TakeAsync("another");

        var e = await Assert.ThrowsAsync<StorageException>(() => fence.DemandAsync(Token));

        Assert.Equal(StorageFault.Refused, e.Fault);
        Assert.Equal("another", (await ReadAsync()).Run);
    }

    [Fact]
    public async Task A_store_that_a_copy_of_the_catalogue_used_is_refused_also_with_the_same_number()
    {
        await _ownership.ClaimAsync(Token);
        await StartAsync();
        await _ownership.CheckAsync(Token);
        await StartAsync();
        await _ownership.CheckAsync(Token);
        await TakeAsync("another");

        var e = await Assert.ThrowsAsync<OperationException>(() => _ownership.CheckAsync(Token));

        Assert.Contains("another copy", e.Message, StringComparison.Ordinal);
    }

    /// <summary>Only a disk that is full or read-only is a reason to start without a mark.</summary>
    [Fact]
    public async Task Another_fault_of_the_catalogue_stops_the_start()
    {
        await _ownership.ClaimAsync(Token);
        await using var connection = _database.Open();
        await using var refuse = connection.Query(
            "CREATE TRIGGER refuse BEFORE INSERT ON properties BEGIN SELECT RAISE(FAIL, 'refused'); END"
        );
        await refuse.ExecuteNonQueryAsync(Token);

        await Assert.ThrowsAsync<SqliteException>(StartAsync);
    }

    /// <summary>A store without conditional writes keeps what was written last.</summary>
    [Fact]
    public async Task Of_two_first_starts_at_once_the_one_that_was_overwritten_is_refused()
    {
        var store = DispatchProxy.Create<IObjectStore, OverwrittenStore>();
        ((OverwrittenStore)(object)store).Inner = _store;
        var late = new StoreOwnership(
            store,
            _database,
            new BackupCatalogue(_database),
            _time,
            new KeptLog<StoreOwnership>()
        );

        var refused = await Assert.ThrowsAsync<OperationException>(() => late.ClaimAsync(Token));

        Assert.Contains("belongs to another catalogue", refused.Message, StringComparison.Ordinal);
    }

    private async Task<StoreFence> StartAsync()
    {
        var fence = new StoreFence(_store, _ownership, _database, new ServerRun(), _time, _log);
        await fence.RaiseAsync(Token);
        return fence;
    }

    /// <summary>Marks the store as another run of the same number does.</summary>
    private async Task TakeAsync(string run)
    {
        var owner = (await ReadAsync()) with { Run = run, Epoch = _database.FindStoreEpoch() };
        await _store.ReplaceAsync(ReservedKeys.Owner, owner.ToJson(), Token);
    }

    private async Task<StoreOwner> ReadAsync() =>
        await _ownership.ReadAsync(Token) ?? throw new InvalidOperationException("the store names no catalogue");

    /// <summary>A store in which another server writes the mark at the same moment.</summary>
    [SuppressMessage("Performance", "CA1852", Justification = "DispatchProxy derives from it.")]
    internal class OverwrittenStore : DispatchProxy
    {
        public IObjectStore Inner { get; set; } = null!;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.Name == nameof(IObjectStore.PutNewAsync)
                ? PutAsync((string)args![0]!)
                : targetMethod.Invoke(Inner, args);

        private Task PutAsync(string key)
        {
            var other = new StoreOwner
            {
                FormatVersion = 1,
                CatalogueId = "another",
                CreatedAt = History.Now,
            };
            return Inner.PutNewAsync(key, other.ToJson(), "another", ObjectKind.Manifest, CancellationToken.None);
        }
    }
}
