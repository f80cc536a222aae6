using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Backends;
using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Jobs;
using ZfsSnapshotManager.Server.Rotation;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.ZfsStorage;
using ZfsSnapshotManager.UnitTests.Rotation;
using ZfsSnapshotManager.UnitTests.Server.Catalogue;
using ZfsSnapshotManager.UnitTests.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Rotation;

/// <summary>
/// What happens to rotated backups during DELETE_DELAY_HOURS, with a real catalogue and a real store and a clock set by
/// the test.
/// </summary>
public sealed class ExpiryTests : IDisposable
{
    private const string Client = "web1";

    private static readonly RotationPolicy OneHourly = new()
    {
        KeepHourly = 1,
        KeepDaily = 0,
        KeepWeekly = 0,
        KeepMonthly = 0,
    };

    private readonly TemporaryFolder _folder = new();
    private readonly SetTime _time = new(History.Now);
    private readonly CatalogueDatabase _database;
    private readonly BackupCatalogue _catalogue;
    private readonly BackupStore _store;
    private readonly RotationRun _rotation;
    private readonly ExpiredBackups _expired;
    private readonly DeletionCatalogue _deletions;
    private readonly DeletionJob _deletion;
    private readonly ReadLeases _leases;
    private readonly BackupRemoval _removal;
    private readonly StoreOwnership _ownership;
    private readonly StoreFence _fence;
    private readonly string _clientsFile;

    public ExpiryTests()
    {
        var settings = TestSettings.In(_folder, ("DELETE_DELAY_HOURS", "48"));
        var database = new CatalogueDatabase(settings);
        database.Prepare();
        _database = database;
        _catalogue = new BackupCatalogue(database);
        var directory = new DirectoryStore(settings);
        directory.Prepare();
        var buffers = new PartBuffers(settings.PartSize, limit: 1);
        var responses = new PacedResponses(settings, _time);
        _store = new BackupStore(FaultyStore.Over(directory), buffers);
        var parents = new ClientDatasets(settings, settings.Zfs, _time, new KeptLog<ClientDatasets>());
        _leases = new ReadLeases(database, _time);
        var events = new RequestEvents(database, _time, new KeptLog<RequestEvents>());
        var run = new ServerRun();
        _ownership = new StoreOwnership(directory, database, _catalogue, _time, new KeptLog<StoreOwnership>());
        _fence = new StoreFence(directory, _ownership, database, run, _time, new KeptLog<StoreFence>());
        var backends = new BackupBackends(
            new ObjectBackend(
                _store,
                new ObjectDownloads(
                    _store,
                    new BackupLayouts(),
                    new DownloadSlots(buffers, responses, _time),
                    _leases,
                    events,
                    new KeptLog<ObjectDownloads>()
                ),
                _fence
            ),
            new ZfsBackend(
                settings.Zfs,
                new ZfsDownloads(settings.Zfs, responses, _leases, events, new KeptLog<ZfsDownloads>())
            )
        );
        var signals = new JobSignals();
        var reserve = new CatalogueReserve(database);
        _deletions = new DeletionCatalogue(database);
        _deletion = new DeletionJob(backends, _deletions, _fence, reserve, signals, new KeptLog<DeletionJob>());
        var jobs = new JobCatalogue(database, _time);
        var removal = _removal = new BackupRemoval(_catalogue, _deletions, _leases, reserve, jobs, signals, _time);
        var planner = new RotationPlanner(
            _catalogue,
            new UploadCatalogue(database, run, reserve, _time),
            new DeletionBlockers(parents, settings.Zfs, new KeptLog<DeletionBlockers>()),
            _leases,
            _time
        );
        var clock = new ClockCheck(new CatalogueClock(database), directory, _time);
        _rotation = new RotationRun(planner, removal, parents, settings, _time);
        _clientsFile = settings.ClientsFile;
        _expired = new ExpiredBackups(
            new ClientRegistry(settings, _time, new KeptLog<ClientRegistry>()),
            _catalogue,
            planner,
            removal,
            _fence,
            clock,
            _time,
            new KeptLog<ExpiredBackups>()
        );
        Configure(Entry() with { RotationPolicy = OneHourly });
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Before_its_time_nothing_is_deleted_and_after_it_object_manifest_and_row_are_gone()
    {
        var (old, newest) = await RotateAsync();

        await PassAsync(TimeSpan.FromHours(48) - TimeSpan.FromSeconds(1));
        Assert.Equal(3, _catalogue.List(Client).Count);
        foreach (var backup in (SnapshotInfo[])[.. old, newest])
            await AssertStoredAsync(backup, stored: true);

        await PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(newest.SnapshotId, Assert.Single(_catalogue.List(Client)).SnapshotId);
        foreach (var backup in old)
            await AssertStoredAsync(backup, stored: false);
        await AssertStoredAsync(newest, stored: true);
        Assert.Empty(_deletions.List());
    }

    [Fact]
    public async Task An_expiring_backup_that_was_pinned_does_not_expire()
    {
        var (old, _) = await RotateAsync();
        var pinned = ServerEvent.Of(ServerEvents.BackupPinned, EventActor.Admin, _time.GetUtcNow());
        Assert.True(_catalogue.Pin(Client, old[0].SnapshotId, pinned: true, pinned));

        await PassAsync(TimeSpan.FromHours(1000));

        await AssertStayedAsync(old[0]);
        await AssertStoredAsync(old[1], stored: false);
    }

    [Fact]
    public async Task An_expiring_backup_that_a_later_rotation_keeps_does_not_expire()
    {
        var (old, _) = await RotateAsync();
        await _rotation.ApplyAsync(Entry(), OneHourly with { KeepHourly = 2 }, dryRun: false);

        await PassAsync(TimeSpan.FromHours(1000));

        await AssertStayedAsync(old[1]);
        await AssertStoredAsync(old[0], stored: false);
    }

    [Fact]
    public async Task An_expiring_backup_that_an_incremental_depends_on_is_kept()
    {
        var (old, _) = await RotateAsync();
        var incremental = await StoreAsync(
            History.Backup(4, old[0].SnapshotGuid.Value, _time.GetUtcNow(), SnapshotType.Hourly)
        );

        await PassAsync(TimeSpan.FromHours(1000));

        await AssertStayedAsync(old[0]);
        await AssertStayedAsync(incremental);
        await AssertStoredAsync(old[1], stored: false);
    }

    [Fact]
    public async Task Backups_of_a_client_that_is_locked_out_do_not_expire_until_it_is_enabled_again()
    {
        var (old, _) = await RotateAsync();
        Configure(Entry() with { Enabled = false, RotationPolicy = OneHourly });
        await PassAsync(TimeSpan.FromHours(1000));
        Assert.Equal(3, _catalogue.List(Client).Count);
        Configure();
        await PassAsync(TimeSpan.FromHours(1));
        Assert.Equal(3, _catalogue.List(Client).Count);

        Configure(Entry() with { RotationPolicy = OneHourly });
        await PassAsync(TimeSpan.FromHours(1));

        foreach (var backup in old)
            await AssertStoredAsync(backup, stored: false);
    }

    [Fact]
    public async Task Nothing_expires_from_a_store_that_another_server_has_taken()
    {
        await _ownership.ClaimAsync(Token);
        await _fence.RaiseAsync(Token);
        await RotateAsync();
        var owner = (await _ownership.ReadAsync(Token))! with { Run = "another" };
        await _store.Objects.ReplaceAsync(ReservedKeys.Owner, owner.ToJson(), Token);

        await Assert.ThrowsAsync<StorageException>(() => PassAsync(TimeSpan.FromHours(48)));

        Assert.Equal(3, _catalogue.List(Client).Count);
        Assert.Empty(_deletions.List());
    }

    [Fact]
    public async Task A_policy_that_was_raised_meanwhile_saves_what_it_keeps()
    {
        var (old, _) = await RotateAsync();
        Configure(Entry() with { RotationPolicy = OneHourly with { KeepHourly = 2 } });

        await PassAsync(TimeSpan.FromHours(48));

        await AssertStayedAsync(old[1]);
        await AssertStoredAsync(old[0], stored: false);
    }

    /// <summary>A restore reads the full backup first, and hours later what is built on it.</summary>
    [Fact]
    public async Task A_chain_that_is_being_restored_is_not_deleted_before_two_hours_without_a_read()
    {
        var full = await StoreAsync(History.Backup(1, null, History.Now.AddHours(-6)));
        var middle = await StoreAsync(History.Backup(2, 1, History.Now.AddHours(-5)));
        var last = await StoreAsync(History.Backup(3, 2, History.Now.AddHours(-4)));
        await StoreAsync(History.Backup(4, null, History.Now));
        await _rotation.ApplyAsync(Entry(), OneHourly, dryRun: false);
        await PassAsync(TimeSpan.FromHours(47));
        _leases.Renew(Client, full.SnapshotId);
        await PassAsync(TimeSpan.FromHours(1.5));
        _leases.Renew(Client, middle.SnapshotId);

        await PassAsync(TimeSpan.FromHours(1.5));
        foreach (var backup in (SnapshotInfo[])[full, middle, last])
            await AssertStoredAsync(backup, stored: true);

        await PassAsync(TimeSpan.FromHours(1));
        foreach (var backup in (SnapshotInfo[])[full, middle, last])
            await AssertStoredAsync(backup, stored: false);
    }

    [Theory]
    [InlineData(nameof(StorageFault.Refused))] // a legal hold, a rule for one key
    [InlineData(nameof(StorageFault.Unreadable))] // a bad sector
    [InlineData(nameof(StorageFault.Failed))]
    public async Task An_object_that_cannot_be_deleted_stops_no_other(string fault)
    {
        var (old, _) = await RotateAsync();
        FaultyStore.Of(_store.Objects).Refuse(old[0].StorageKey, Enum.Parse<StorageFault>(fault));

        await Assert.ThrowsAsync<StorageException>(() => PassAsync(TimeSpan.FromHours(48)));

        Assert.NotNull(await _store.Objects.FindAsync(old[0].StorageKey, Token));
        await AssertStoredAsync(old[1], stored: false);
        Assert.Equal(old[0].StorageKey, Assert.Single(_deletions.List()).StorageKey);
    }

    [Fact]
    public async Task A_store_that_is_away_is_asked_to_delete_one_backup_and_no_more()
    {
        var (old, _) = await RotateAsync();
        var store = FaultyStore.Of(_store.Objects);
        foreach (var backup in old)
            store.Refuse(StorageKey.ManifestOf(backup.StorageKey), StorageFault.Unavailable);

        await Assert.ThrowsAsync<StorageException>(() => PassAsync(TimeSpan.FromHours(48)));

        Assert.Equal(1, store.Deletions);
        Assert.Equal(2, _deletions.List().Count);
    }

    /// <summary>Between the plan and the deletion lie minutes, if the store is slow.</summary>
    [Fact]
    public async Task What_is_based_on_a_backup_that_is_read_since_the_plan_is_not_removed()
    {
        var full = await StoreAsync(History.Backup(1, null, History.Now.AddHours(-6)));
        var incremental = await StoreAsync(History.Backup(2, 1, History.Now.AddHours(-5)));
        var other = await StoreAsync(History.Backup(3, null, History.Now.AddHours(-4)));
        var chains = new BackupChains(_catalogue.List(Client));
        _leases.Renew(Client, full.SnapshotId);

        Assert.False(_removal.Remove(Client, incremental, chains));
        Assert.False(_removal.Remove(Client, full, chains));
        Assert.True(_removal.Remove(Client, other, chains));
    }

    /// <summary>On a full disk, or after the clock was set back.</summary>
    [Fact]
    public async Task What_is_being_read_stays_marked_although_the_catalogue_does_not_know_it()
    {
        var (old, _) = await RotateAsync();
        await PassAsync(TimeSpan.FromHours(47));
        _leases.Renew(Client, old[0].SnapshotId);
        using (var connection = _database.Open())
        {
            using var forget = connection.Query("DELETE FROM read_leases");
            Assert.Equal(1, forget.ExecuteNonQuery());
        }

        await PassAsync(TimeSpan.FromHours(1));
        await AssertStoredAsync(old[0], stored: true);
        await AssertStoredAsync(old[1], stored: false);

        await PassAsync(TimeSpan.FromHours(1.5));
        await AssertStoredAsync(old[0], stored: false);
    }

    [Fact]
    public async Task A_backup_whose_mark_was_removed_after_the_plan_is_not_deleted()
    {
        var (old, _) = await RotateAsync();
        _time.Advance(TimeSpan.FromHours(48));
        Assert.True(_catalogue.SetExpiry(Client, old[0].SnapshotId, null));

        Assert.False(Remove(old[0]));
        Assert.True(Remove(old[1]));

        await AssertStayedAsync(old[0]);

        bool Remove(SnapshotInfo backup) =>
            _catalogue.Remove(
                Client,
                backup,
                ServerEvent.Of(ServerEvents.BackupDeleted, EventActor.Server, _time.GetUtcNow()),
                due: _time.GetUtcNow()
            );
    }

    [Fact]
    public async Task What_one_machine_rotated_stays_marked_when_another_one_rotates()
    {
        for (var guid = 1UL; guid <= 4; guid++)
        {
            var machine = guid <= 2 ? "one" : "two";
            var made = History.Now.AddHours(-10 + (int)guid);
            await StoreAsync(
                History.Backup(guid, null, made, SnapshotType.Hourly, $"tank/{machine}") with
                {
                    MachineId = machine,
                    MachineName = machine,
                }
            );
        }

        await _rotation.ApplyAsync(Entry(), OneHourly, dryRun: false, "one");
        await _rotation.ApplyAsync(Entry(), OneHourly, dryRun: false, "two");
        await _rotation.ApplyAsync(Entry(), OneHourly, dryRun: false, "one");

        Assert.Equal(
            ["1", "3"],
            _catalogue
                .List(Client)
                .Where(backup => backup.ExpiresAt is not null)
                .Select(backup => backup.SnapshotGuid.ToString())
                .Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task An_expired_chain_is_deleted_as_a_whole()
    {
        var full = await StoreAsync(History.Backup(1, null, History.Now.AddHours(-5)));
        var incremental = await StoreAsync(History.Backup(2, 1, History.Now.AddHours(-4)));
        await StoreAsync(History.Backup(3, null, History.Now));
        Assert.Equal(2, (await _rotation.ApplyAsync(Entry(), OneHourly, dryRun: false)).Expiring.Count);

        await PassAsync(TimeSpan.FromHours(48));

        await AssertStoredAsync(full, stored: false);
        await AssertStoredAsync(incremental, stored: false);
        Assert.Equal("3", Assert.Single(_catalogue.List(Client)).SnapshotGuid.ToString());
    }

    [Fact]
    public void Clients_with_expired_backups_are_found_without_reading_the_others()
    {
        _catalogue.AddAll(
            Enumerable
                .Range(1, 2000)
                .Select(number => new ListedBackup(
                    Client,
                    History.Backup((ulong)number, null, History.Now) with
                    {
                        SnapshotId = $"{Client}/{number}",
                        StorageKey = $"{Client}/{number}.zfs",
                        ExpiresAt = number == 7 ? History.Now : null,
                    }
                ))
        );

        var steps = CatalogueWork.StepsOf(_database, () =>
            Assert.Equal([Client], _catalogue.ClientsWithExpired(History.Now))
        );

        Assert.InRange(steps, 1, 100);
    }

    /// <summary>The clock jumps while the server runs, and nobody corrects it.</summary>
    [Fact]
    public async Task A_clock_that_jumped_deletes_nothing_for_a_day()
    {
        var (old, _) = await RotateAsync();
        await PassAsync(TimeSpan.FromHours(1));
        _time.Jump(TimeSpan.FromDays(400));

        await Assert.ThrowsAsync<OperationException>(() => PassAsync(TimeSpan.FromHours(1)));
        var rotated = await _rotation.ApplyAsync(Entry(), OneHourly, dryRun: false);
        Assert.Empty(rotated.Deleted);
        await Assert.ThrowsAsync<OperationException>(() => PassAsync(TimeSpan.FromHours(22)));
        Assert.Equal(3, _catalogue.List(Client).Count);
        await PassAsync(TimeSpan.FromHours(2));

        foreach (var backup in old)
            await AssertStoredAsync(backup, stored: false);
    }

    /// <summary>Three full backups, of which the policy keeps the newest.</summary>
    private async Task<(IReadOnlyList<SnapshotInfo> Old, SnapshotInfo Newest)> RotateAsync()
    {
        List<SnapshotInfo> backups = [];
        for (var guid = 1UL; guid <= 3; guid++)
            backups.Add(
                await StoreAsync(History.Backup(guid, null, History.Now.AddHours(-10 + (int)guid), SnapshotType.Hourly))
            );
        var rotated = await _rotation.ApplyAsync(Entry(), OneHourly, dryRun: false);
        Assert.Equal(["1", "2"], rotated.Expiring.Select(backup => backup.SnapshotGuid.ToString()));
        Assert.Empty(rotated.Deleted);
        return (backups[..2], backups[2]);
    }

    private async Task<SnapshotInfo> StoreAsync(SnapshotInfo described)
    {
        var backup = described with { StorageKey = $"{described.SnapshotId}.zfs" };
        await _store.Objects.PutNewAsync(
            backup.StorageKey,
            new byte[1],
            $"upload{backup.SnapshotGuid}",
            ObjectKind.Stream,
            Token
        );
        await _store.Objects.PutNewAsync(
            StorageKey.ManifestOf(backup.StorageKey),
            new byte[2],
            $"upload{backup.SnapshotGuid}",
            ObjectKind.Manifest,
            Token
        );
        _catalogue.AddAll([new ListedBackup(Client, backup)]);
        return backup;
    }

    /// <summary>Advances the time and runs the jobs.</summary>
    private async Task PassAsync(TimeSpan time)
    {
        _time.Advance(time);
        await _expired.RunAsync(new JobRun(""), Token);
        await _deletion.RunAsync(new JobRun(Client), Token);
    }

    private async Task AssertStayedAsync(SnapshotInfo backup)
    {
        Assert.Null(Assert.Single(_catalogue.List(Client), listed => listed.SnapshotId == backup.SnapshotId).ExpiresAt);
        await AssertStoredAsync(backup, stored: true);
    }

    private async Task AssertStoredAsync(SnapshotInfo backup, bool stored)
    {
        foreach (var key in (string[])[backup.StorageKey, StorageKey.ManifestOf(backup.StorageKey)])
            Assert.Equal(stored, await _store.Objects.FindAsync(key, Token) is not null);
    }

    /// <summary>Writes clients.json, as an administrator does.</summary>
    private void Configure(params ClientEntry[] clients) => ClientsFile.Change(_clientsFile, _ => clients);

    private static ClientEntry Entry() => new() { ClientId = Client, ApiKey = new string('0', 64) };
}
