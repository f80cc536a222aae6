using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>
/// What a program reports as stored survives a power cut: files are synced before they get their names, and directories
/// after that.
/// </summary>
public sealed class SyncOrderTests
{
    [Fact]
    public async Task A_commit_syncs_what_it_names_before_and_after()
    {
        await using var lab = await CrashLab.WithoutBackupsAsync();
        var (acknowledged, calls) = await lab.CrashAsync(CrashPoint.None, lab.SendAsync);

        Assert.True(acknowledged);
        AssertSynced(calls);
        Assert.Equal(2, calls.Count(call => call.Name == "rename"));
    }

    [Fact]
    public async Task A_commit_with_a_checkpoint_of_the_catalogue_syncs_it_as_well()
    {
        await using var lab = await CrashLab.WithLongLogAsync();
        var (acknowledged, calls) = await lab.CrashAsync(CrashPoint.None, lab.SendAsync);

        Assert.True(acknowledged);
        AssertSynced(calls);
        var database = calls
            .First(call => call.IsWrite && call.Path.EndsWith("metadata.db", StringComparison.Ordinal))
            .Number;
        Assert.Contains(calls, call =>
            call.IsSync && call.Path.EndsWith("-wal", StringComparison.Ordinal) && call.Number == database - 1
        );
    }

    /// <summary>Each step may only refer to what is safe on the disk: object, manifest, catalogue.</summary>
    [Fact]
    public async Task A_commit_makes_the_object_safe_then_the_manifest_then_the_catalogue()
    {
        await using var lab = await CrashLab.WithoutBackupsAsync();
        var (_, calls) = await lab.CrashAsync(CrashPoint.None, lab.SendAsync);

        var named = NameOf(calls, ".zfs.gz");
        var manifest = NameOf(calls, ".manifest.json");
        var listed = calls.Last(call => call.IsSync && call.Path.EndsWith("-wal", StringComparison.Ordinal)).Number;
        Assert.Contains(calls, sync =>
            sync.IsSync
            && sync.Path == named.TargetFolder
            && sync.Number > named.Number
            && sync.Number < manifest.Number
        );
        var safe = calls
            .First(sync => sync.IsSync && sync.Path == manifest.TargetFolder && sync.Number > manifest.Number)
            .Number;
        Assert.DoesNotContain(calls, call => call.IsFrame && call.Number > named.Number && call.Number < safe);
        Assert.Contains(calls, call => call.IsFrame && call.Number > safe && call.Number < listed);
    }

    /// <summary>
    /// Tests the tests: without one of a commit's syncs its order is wrong, and a power cut loses the backup.
    /// </summary>
    [Fact]
    public async Task A_missing_sync_is_detected()
    {
        await using var lab = await CrashLab.WithoutBackupsAsync();
        var (acknowledged, calls) = await lab.CrashAsync(CrashPoint.None, lab.SendAsync);
        Assert.True(acknowledged);

        // SQLite syncs the data directory itself when it creates its log.
        var last = calls
            .Where(call => call.IsSync && call.Path != lab.Server.DataFolder)
            .GroupBy(sync => sync.Path)
            .Select(syncs => syncs.Last())
            .ToList();
        // The object, the parent of its directory, its directory, the manifest, the catalogue's log, the audit log.
        Assert.Equal(6, last.Count);
        Assert.All(last, sync => Assert.NotEmpty(SyncOrder.FindFaults([.. calls.Where(call => call != sync)])));

        await lab.Server.KillAsync();
        PowerCut.Apply([.. calls.Where(call => !call.IsSync)], PowerCutLoss.Everything);
        await lab.Server.StartAgainAsync();
        await lab.AssertWholeAsync(acknowledged: false, verifies: false);
        await Assert.ThrowsAnyAsync<Exception>(() => lab.AssertWholeAsync(acknowledged: true));
    }

    [Fact]
    public async Task Adding_the_first_client_syncs_its_file_and_the_directories_above_it()
    {
        var folder = Repository.NewFolder("sync");
        var log = Path.Combine(folder, "calls");
        var settings = new Dictionary<string, string>(
            await CrashLibrary.SettingsAsync(CrashPoint.None, folder, log),
            StringComparer.Ordinal
        )
        {
            ["DATA_DIR"] = Path.Combine(folder, "deep", "data"),
        };

        (
            await Command.RunAsync(Repository.Program("zfs-server"), ["client", "add", "client1"], folder, settings)
        ).MustSucceed();

        AssertSynced(CountedCall.ReadLog(log));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task The_first_start_syncs_the_directories_and_files_that_it_creates()
    {
        var folder = Repository.NewFolder("sync");
        var log = Path.Combine(folder, "calls");
        var settings = new Dictionary<string, string>(
            await CrashLibrary.SettingsAsync(CrashPoint.None, folder, log),
            StringComparer.Ordinal
        )
        {
            ["DATA_DIR"] = Path.Combine(folder, "deep", "data"),
            ["METADATA_FILE"] = Path.Combine(folder, "elsewhere", "metadata.db"),
        };

        await using (await ServerProcess.StartAsync(settings))
            AssertSynced(CountedCall.ReadLog(log));

        Directory.Delete(folder, recursive: true);
    }

    private static CountedCall NameOf(IReadOnlyList<CountedCall> calls, string ending) =>
        calls.Single(call => call.Name == "rename" && call.Other.EndsWith(ending, StringComparison.Ordinal));

    private static void AssertSynced(IReadOnlyList<CountedCall> calls)
    {
        Assert.NotEmpty(calls);
        var faults = SyncOrder.FindFaults(calls);
        Assert.True(faults.Count == 0, $"a power cut could lose this:\n{string.Join('\n', faults)}");
    }
}
