using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Doctor;

/// <summary>Checks everything that a backup needs and changes nothing.</summary>
internal sealed class ClientDiagnosis(ClientSettings settings, ApiClient server, TimeProvider time)
{
    /// <summary>Synchronized clocks differ by less.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(2);

    private readonly Diagnosis _result = new();

    public async Task<Diagnosis> RunAsync(CancellationToken cancellationToken)
    {
        var datasets = await CheckZfsAsync(cancellationToken);
        var answers = await CheckServerAsync(cancellationToken);
        if (datasets is not null && answers)
            await CheckChainsAsync(datasets, cancellationToken);
        _result.Pass(
            "compression",
            settings.Compression == CompressionFormat.None ? "none" : CompressionEngine.Describe(settings.Compression)
        );
        return _result;
    }

    private async Task<IReadOnlyList<DatasetFacts>?> CheckZfsAsync(CancellationToken cancellationToken)
    {
        if (await _result.TryAsync("zfs", () => settings.Zfs.GetVersionAsync(cancellationToken)) is not { } version)
            return null;
        _result.Pass("zfs", version);
        if (
            await _result.TryAsync("dataset", () => settings.Selection.ListAsync(settings.Zfs, cancellationToken))
            is not { } datasets
        )
            return null;
        foreach (var dataset in datasets)
            _result.Pass("dataset", $"{dataset.Name}, {Describe(dataset)}");
        await CheckPermissionsAsync(datasets, cancellationToken);
        return datasets;
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
        if (await server.GetTimeAsync(cancellationToken) is { } there)
            CheckClock((time.GetUtcNow() - there).Duration());
        return true;
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

    private async Task CheckChainsAsync(IEnumerable<DatasetFacts> datasets, CancellationToken cancellationToken)
    {
        var remote = (await server.GetSnapshotsAsync(settings.StorageType, cancellationToken)).Snapshots;
        foreach (var dataset in datasets)
        {
            var local = await settings.Zfs.ListMarkedSnapshotsAsync(dataset.Name, cancellationToken);
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
            if (local.Count(snapshot => snapshot.Upload is { IsPending: true }) is > 0 and var pending)
                _result.Warn(
                    "chain",
                    $"{dataset.Name}: {pending} snapshots are waiting for their upload",
                    "The next 'zfs-client backup' resumes them."
                );
        }
    }
}
