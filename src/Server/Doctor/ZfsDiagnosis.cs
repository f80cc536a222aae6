using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Doctor;

/// <summary>
/// Checks ZFS if clients are, or may be, stored in it. If none is, a fault is only a warning: the server starts anyway.
/// </summary>
internal sealed class ZfsDiagnosis(
    Diagnosis result,
    ServerSettings settings,
    ClientDatasets datasets,
    ZfsHost zfs,
    IEnumerable<ClientEntry> clients
)
{
    private readonly List<ClientEntry> _clients =
    [
        .. clients.Where(client => client.StorageType == StorageTypes.Local),
    ];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (_clients.Count == 0 && !settings.HasBaseDataset)
            return;
        if (await TryAsync("zfs", () => zfs.GetVersionAsync(cancellationToken)) is not { } version)
            return;
        result.Pass("zfs", version);
        if (await TryAsync("permissions", () => ZfsUser.GetAsync(zfs, cancellationToken)) is not { } user)
            return;
        if (user.IsRoot)
        {
            var dataset = settings.HasBaseDataset ? settings.BaseDataset : datasets.Of(_clients[0]);
            var allow = ZfsDelegation.AllowLine("USER", ZfsDelegation.ForStorage, dataset);
            result.Warn("permissions", "runs as root", $"A dedicated user needs only: {allow}");
        }

        IReadOnlyList<string>? missing = [];
        if (settings.HasBaseDataset)
        {
            missing = await CheckDatasetAsync(settings.BaseDataset, user, ZfsDelegation.ForStorage, cancellationToken);
            if (missing is { Count: 0 })
                result.Pass(
                    "dataset",
                    $"{settings.BaseDataset} exists"
                        + (user.IsRoot ? "" : $", and {user.Name} has all permissions that it needs there")
                );
        }

        foreach (var client in _clients)
        {
            var isBelow =
                settings.HasBaseDataset
                && datasets.Of(client).Value.StartsWith($"{settings.BaseDataset}/", StringComparison.Ordinal);
            if (isBelow && missing is null)
                continue; // reported above for all of them
            await CheckClientAsync(
                client,
                user,
                isBelow
                    ? [.. ZfsDelegation.ForStorage.Except(missing!, StringComparer.Ordinal)]
                    : ZfsDelegation.ForStorage,
                cancellationToken
            );
        }
    }

    private async Task CheckClientAsync(
        ClientEntry client,
        ZfsUser user,
        IReadOnlyList<string> needed,
        CancellationToken cancellationToken
    )
    {
        var dataset = datasets.Of(client);
        var exists = await datasets.FindAbsenceAsync(dataset, cancellationToken) is null;
        var missing = await CheckDatasetAsync(
            exists ? dataset : ClientDatasets.Above(dataset),
            user,
            needed,
            cancellationToken
        );
        if (missing is { Count: 0 })
            result.Pass(
                "client",
                $"{client.ClientId}: {dataset} {(exists ? "exists" : "is created when it is needed")}"
            );
    }

    /// <returns>The missing permissions; null if unknown.</returns>
    private async Task<IReadOnlyList<string>?> CheckDatasetAsync(
        DatasetName dataset,
        ZfsUser user,
        IReadOnlyList<string> needed,
        CancellationToken cancellationToken
    )
    {
        if (await datasets.FindAbsenceAsync(dataset, cancellationToken) is { } absence)
        {
            Fail("dataset", absence);
            return null;
        }

        var missing = await TryAsync("permissions", () =>
            ZfsDelegation.FindMissingAsync(zfs, dataset, user, needed, cancellationToken)
        );
        if (missing is { Count: > 0 })
            Fail("permissions", ClientDatasets.MissingPermissions(user, missing, dataset));
        return missing;
    }

    private async Task<T?> TryAsync<T>(string name, Func<Task<T>> check)
        where T : class
    {
        try
        {
            return await check();
        }
        catch (OperationException e)
        {
            Fail(name, e);
            return null;
        }
    }

    private void Fail(string name, OperationException e)
    {
        if (_clients.Count > 0)
            result.Fail(name, e.Message, e.Remedy, e.ExitCode);
        else
            result.Warn(name, e.Message, e.Remedy);
    }
}
