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
/// Looks at ZFS where clients are, or may be, stored in it. Where none is, what does not work is no failure: the start
/// does not mind it either.
/// </summary>
internal sealed class ZfsDiagnosis(
    Diagnosis result,
    ServerSettings settings,
    ClientDatasets parents,
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
        if (await LookAsync("zfs", () => zfs.GetVersionAsync(cancellationToken)) is not { } version)
            return;
        result.Pass("zfs", version);
        if (await LookAsync("permissions", () => ZfsUser.GetAsync(zfs, cancellationToken)) is not { } user)
            return;
        if (user.IsRoot)
        {
            var dataset = settings.HasBaseDataset ? settings.BaseDataset : parents.Of(_clients[0]);
            var allow = ZfsDelegation.AllowLine("USER", ZfsDelegation.ForStorage, dataset);
            result.Warn("permissions", "runs as root", $"A user of its own needs no more than: {allow}");
        }

        IReadOnlyList<string>? lacking = [];
        if (settings.HasBaseDataset)
        {
            lacking = await CheckDatasetAsync(settings.BaseDataset, user, ZfsDelegation.ForStorage, cancellationToken);
            if (lacking is { Count: 0 })
                result.Pass(
                    "dataset",
                    $"{settings.BaseDataset} is "
                        + $"there{(user.IsRoot ? "" : $", and {user.Name} has all that it needs on it")}"
                );
        }

        foreach (var client in _clients)
        {
            var isBelow =
                settings.HasBaseDataset
                && parents.Of(client).Value.StartsWith($"{settings.BaseDataset}/", StringComparison.Ordinal);
            if (isBelow && lacking is null)
                continue; // what they all lack was said
            await CheckClientAsync(
                client,
                user,
                isBelow
                    ? [.. ZfsDelegation.ForStorage.Except(lacking!, StringComparer.Ordinal)]
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
        var dataset = parents.Of(client);
        var isThere = await parents.FindAbsenceAsync(dataset, cancellationToken) is null;
        var lacking = await CheckDatasetAsync(
            isThere ? dataset : ClientDatasets.Above(dataset),
            user,
            needed,
            cancellationToken
        );
        if (lacking is { Count: 0 })
            result.Pass(
                "client",
                $"{client.ClientId}: {dataset} {(isThere ? "is there" : "is made when it is needed")}"
            );
    }

    /// <returns>Those of the permissions that lack; null where that is not known.</returns>
    private async Task<IReadOnlyList<string>?> CheckDatasetAsync(
        DatasetName dataset,
        ZfsUser user,
        IReadOnlyList<string> needed,
        CancellationToken cancellationToken
    )
    {
        if (await parents.FindAbsenceAsync(dataset, cancellationToken) is { } absence)
        {
            Fail("dataset", absence);
            return null;
        }

        var lacking = await LookAsync("permissions", () =>
            ZfsDelegation.FindMissingAsync(zfs, dataset, user, needed, cancellationToken)
        );
        if (lacking is { Count: > 0 })
            Fail("permissions", ClientDatasets.Lacks(user, lacking, dataset));
        return lacking;
    }

    private async Task<T?> LookAsync<T>(string name, Func<Task<T>> look)
        where T : class
    {
        try
        {
            return await look();
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
