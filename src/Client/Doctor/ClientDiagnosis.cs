using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Locks;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Doctor;

/// <summary>Checks everything that a backup needs and changes nothing.</summary>
internal sealed class ClientDiagnosis(ClientSettings settings, ApiClient server, TimeProvider time)
{
    /// <summary>Synchronized clocks differ by less.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(2);

    /// <summary>In bytes: a part for S3, 16 MiB by default, and what compression may add to its last block.</summary>
    private const long LargestUsualPart = 17 * 1024 * 1024;

    private readonly Diagnosis _result = new();

    public async Task<Diagnosis> RunAsync(CancellationToken cancellationToken)
    {
        var selected = await CheckZfsAsync(cancellationToken);
        CheckLocks();
        var answers = await CheckServerAsync(cancellationToken);
        if (selected is not null && answers)
            await CheckChainsAsync(selected, cancellationToken);
        _result.Pass(
            "compression",
            settings.Compression == CompressionFormat.None ? "none" : CompressionEngine.Describe(settings.Compression)
        );
        return _result;
    }

    private async Task<SelectedDatasets?> CheckZfsAsync(CancellationToken cancellationToken)
    {
        if (await _result.TryAsync("zfs", () => settings.Zfs.GetVersionAsync(cancellationToken)) is not { } version)
            return null;
        _result.Pass("zfs", version);
        if (
            await _result.TryAsync("dataset", () => settings.Selection.ListAsync(settings.Zfs, cancellationToken))
            is not { } selected
        )
            return null;
        foreach (var failure in selected.Failures)
            _result.Fail("dataset", $"{failure.Dataset}: {failure.Message}", failure.Remedy, failure.ExitCode);
        foreach (var line in selected.DescribeLeftOut())
            _result.Pass("dataset", line);
        foreach (var dataset in selected.Datasets)
            CheckDataset(dataset);
        var pools = new PoolChecks(settings.Zfs, _result);
        await pools.CheckSendAsync(cancellationToken);
        foreach (var pool in selected.Datasets.Select(dataset => dataset.Name.Pool).Distinct(StringComparer.Ordinal))
            await pools.CheckAsync(pool, cancellationToken);

        await CheckPermissionsAsync(selected.Datasets, cancellationToken);
        await ShowSpaceAsync(selected.Datasets, cancellationToken);
        return selected;
    }

    /// <summary>Snapshots that pile up fill a pool without a sign in its files.</summary>
    private async Task ShowSpaceAsync(IReadOnlyList<DatasetFacts> datasets, CancellationToken cancellationToken)
    {
        var used = await _result.TryAsync("space", () =>
            settings.Zfs.GetUsedBySnapshotsAsync(datasets.Select(dataset => dataset.Name), cancellationToken)
        );
        foreach (var (name, bytes) in used ?? new Dictionary<string, long>())
        {
            _result.Pass("space", $"{name}: its snapshots hold {ByteSize.Format(bytes)} that its files no longer use");
        }
    }

    private void CheckDataset(DatasetFacts dataset)
    {
        var leaf = SnapshotNaming.StemOf(settings.SnapshotPrefix, SnapshotType.Manual, time.GetUtcNow());
        if (DatasetCheck.FindObstacleToBackup(dataset, leaf) is { } obstacle)
            _result.Fail("dataset", obstacle.Message, obstacle.Remedy, obstacle.ExitCode);
        else
            _result.Pass("dataset", $"{dataset.Name}, {Describe(dataset)}");
    }

    private string Describe(DatasetFacts dataset)
    {
        var kind = dataset.IsVolume ? "a volume" : "a file system";
        if (!dataset.IsEncrypted)
            return kind;
        return kind + (settings.RawSend ? ", encrypted, sent raw" : ", encrypted, sent decrypted (RAW_SEND=false)");
    }

    private async Task CheckPermissionsAsync(IReadOnlyList<DatasetFacts> datasets, CancellationToken cancellationToken)
    {
        if (
            await _result.TryAsync("permissions", () => ZfsUser.GetAsync(settings.Zfs, cancellationToken))
            is not { } user
        )
            return;
        if (user.IsRoot)
        {
            _result.Warn(
                "permissions",
                "runs as root",
                "A dedicated user needs only: "
                    + $"{ZfsDelegation.AllowLine("USER", ZfsDelegation.ForBackup, settings.Selection.Roots[0])}"
            );
            return;
        }

        foreach (var dataset in datasets)
        {
            var missing = await _result.TryAsync("permissions", () =>
                ZfsDelegation.FindMissingAsync(
                    settings.Zfs,
                    dataset.Name,
                    user,
                    ZfsDelegation.ForBackup,
                    cancellationToken
                )
            );
            if (missing is { Count: 0 })
                _result.Pass("permissions", $"{user.Name} has every permission it needs on {dataset.Name}");
            else if (missing is not null)
                _result.Fail(
                    "permissions",
                    $"{user.Name} lacks {string.Join(", ", missing)} on {dataset.Name}",
                    $"Let root run: {ZfsDelegation.AllowLine(user.Name, missing, dataset.Name)}",
                    ExitCode.Zfs
                );
        }
    }

    /// <summary>Whether runs of different users exclude each other depends on where their lock files can be.</summary>
    private void CheckLocks()
    {
        try
        {
            using var locks = new HostLocks(DatasetLocks.FileName);
            locks.TryAcquire($"doctor {Environment.ProcessId}");
            string[] directories = [.. locks.Paths.Select(path => Path.GetDirectoryName(path)!)];
            if (directories.Intersect(LockDirectories.Shared, StringComparer.Ordinal).Any())
                _result.Pass("locks", $"in {string.Join(" and ", directories)}");
            else
                _result.Warn(
                    "locks",
                    $"in {string.Join(" and ", directories)}, which other users do not use",
                    "Run backups of one dataset as one user, or make /tmp writable."
                );
        }
        catch (OperationException e)
        {
            _result.Fail("locks", e.Message, e.Remedy, e.ExitCode);
        }
    }

    /// <summary>
    /// The machines that use the client id beside one. A machine that was last seen before it was replaced by it; one
    /// that was refused, which the server remembers for some weeks, tried to back up beside it.
    /// </summary>
    public static IEnumerable<MachineInfo> FindOthers(string ownId, IReadOnlyList<MachineInfo> machines)
    {
        var seen = machines.FirstOrDefault(machine => machine.MachineId == ownId)?.LastSeen;
        return machines.Where(machine =>
            machine.RefusedDataset is not null
            || (machine.MachineId != ownId && (seen is null || machine.LastSeen > seen))
        );
    }

    /// <summary>Two machines with one client id would take each other's backups for their own.</summary>
    private void CheckMachines(Machine own, StatusAnswer status)
    {
        foreach (var other in FindOthers(own.Id, status.Machines ?? []))
        {
            var seen = $"{other.MachineName}, last seen {Timestamps.ToSecond(other.LastSeen)}";
            if (other is { RefusedDataset: { } refused } && other.MachineId == own.Id)
                _result.Warn(
                    "machine",
                    $"a machine with the /etc/machine-id of this one was not allowed to back up {refused}: one is a "
                        + "clone of the other",
                    MachineInfo.RemedyForClone(other.MachineName)
                );
            else if (other.RefusedDataset is { } dataset)
                _result.Warn(
                    "machine",
                    $"another machine under the client id {status.ClientId} was not allowed to back up {dataset}: "
                        + seen,
                    MachineInfo.RemedyFor(own.Name)
                );
            else
                _result.Warn(
                    "machine",
                    $"another machine has backed up under the client id {status.ClientId}: {seen}",
                    MachineInfo.RemedyFor(other.MachineName)
                );
        }
    }

    /// <returns>Whether the server answers.</returns>
    private async Task<bool> CheckServerAsync(CancellationToken cancellationToken)
    {
        if (await _result.TryAsync("server", () => server.GetStatusAsync(cancellationToken)) is not { } status)
            return false;
        _result.Pass(
            "server",
            $"{settings.Server.ServerUrl} answers {status.ClientId}: {status.SnapshotCount} backups, "
                + $"{ByteSize.Format(status.UsedBytes)} "
                + $"used{(status.MaxSizeBytes > 0 ? $" of {ByteSize.Format(status.MaxSizeBytes)}" : "")}"
        );
        if (settings.Server.ServerUrl is { Scheme: "http", IsLoopback: false })
            _result.Warn(
                "server",
                "the connection is not encrypted: the key and the data can be read in transit",
                "Put a TLS proxy in front of the server and use https://."
            );
        if (await _result.TryAsync("machine", () => settings.FindMachineAsync(cancellationToken)) is { } machine)
            CheckMachines(machine, status);
        await CheckPartSizeAsync(cancellationToken);
        if (await server.GetTimeAsync(cancellationToken) is { } there)
            CheckClock((time.GetUtcNow() - there).Duration());
        return true;
    }

    /// <summary>nginx, for one, accepts 1 MiB by default: that must not be found by the first backup.</summary>
    private async Task CheckPartSizeAsync(CancellationToken cancellationToken)
    {
        try
        {
            await server.CheckBodySizeAsync(LargestUsualPart, cancellationToken);
        }
        catch (OperationException e)
        {
            _result.Fail("server", e.Message, e.Remedy, e.ExitCode);
        }
    }

    private void CheckClock(TimeSpan apart)
    {
        if (apart <= Tolerance)
            _result.Pass("clock", $"within {Math.Max(1, Math.Ceiling(apart.TotalSeconds)):0} s of the server's");
        else
            _result.Warn(
                "clock",
                $"{apart.TotalMinutes:0} minutes off the server's",
                "Synchronize both clocks with NTP: rotation counts backups by their times."
            );
    }

    private async Task CheckChainsAsync(SelectedDatasets selected, CancellationToken cancellationToken)
    {
        var all = selected.Datasets;
        if (await _result.TryAsync("machine", () => settings.FindMachineAsync(cancellationToken)) is not { } machine)
            return;
        var uploads = await server.GetUploadsAsync(cancellationToken);
        var answer = await server.GetSnapshotsAsync(settings.StorageType, cancellationToken);
        var identity = ClientIdentity.Of(settings.Server, answer.ServerId, machine);
        var index = new BackupIndex(answer.Snapshots);
        if (LeftOutBackups.Describe(selected.LeftOut, index.FindLast) is var (ended, remedy))
            _result.Warn("dataset", ended, remedy);
        var snapshots = new LocalSnapshots(settings.Zfs, [.. all.Select(dataset => dataset.Name)], time);
        foreach (var dataset in all)
        {
            var local = await _result.TryAsync("chain", () =>
                snapshots.GetAsync(dataset.Name, isChanged: false, cancellationToken)
            );
            if (local is null)
                continue;
            var remote = index.RelevantTo(dataset.Name, local);
            CheckChain(dataset, local, remote);
            CheckMarks(dataset, local, remote, uploads.Uploads, identity);
        }
    }

    private void CheckChain(
        DatasetFacts dataset,
        IReadOnlyList<LocalSnapshot> local,
        IReadOnlyList<SnapshotInfo> remote
    )
    {
        var plan = BackupPlan.Make(
            BackupMode.Automatic,
            dataset.Name,
            SendFlagPolicy.ForFull(dataset, settings),
            local,
            remote,
            settings.MaxChain
        );
        _result.Pass(
            "chain",
            $"{dataset.Name}: the next backup is {(plan.IsIncremental ? "incremental" : "full")}: {plan.Reason}"
        );
    }

    private void CheckMarks(
        DatasetFacts dataset,
        IReadOnlyList<LocalSnapshot> local,
        IReadOnlyList<SnapshotInfo> remote,
        IReadOnlyList<UploadInfo> uploads,
        ClientIdentity identity
    )
    {
        var ofOthers = local.Count(snapshot => snapshot.Upload is { Owner: not null } mark && !identity.Owns(mark));
        if (ofOthers > 0)
            _result.Pass(
                "marks",
                $"{dataset.Name}: {ofOthers} snapshots were made for another server or client and are left alone"
            );
        if (OtherMachine.Find(dataset.Name, identity.Machine, remote, uploads, local) is { IsClone: true } clone)
            _result.Warn("machine", clone.Describe(dataset.Name, settings.Server.ClientId), clone.Remedy);
        var flags = SendFlagPolicy.ForFull(dataset, settings);
        var leftovers = LeftoverPlan.Make(dataset, flags, local, remote, uploads, identity, mayResume: true);
        if (leftovers.Active is { } active)
            _result.Warn(
                "chain",
                $"{dataset.Name}: a run on another host is sending its upload {active.UploadId}",
                "Wait until it has finished. If that host is gone: zfs-client backup --take-over"
            );
        var pending = leftovers.Remove.Count + leftovers.Acknowledge.Count + (leftovers.Resume is null ? 0 : 1);
        if (pending > 0)
            _result.Warn(
                "chain",
                $"{dataset.Name}: {pending} snapshots of interrupted runs are waiting for their upload",
                "The next 'zfs-client backup' resumes or removes them."
            );
        foreach (var line in leftovers.DescribeLeftAlone())
            _result.Warn("chain", $"{dataset.Name}: {line}", remedy: null);
    }
}
