using System.Collections.Concurrent;
using System.Globalization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>
/// The datasets below which clients are stored: made on first use, and bounded by the client's quota.
/// </summary>
internal sealed partial class ClientDatasets(ServerSettings settings, ZfsHost zfs, ILogger<ClientDatasets> logger)
{
    /// <summary>
    /// The last that was seen of each client's space: requests for the object store must count it, too.
    /// </summary>
    private readonly ConcurrentDictionary<string, long> _used = new(StringComparer.Ordinal);

    /// <summary>Whether a client may ask for local storage at all.</summary>
    public bool IsOffered(ClientEntry client) =>
        client.Dataset is not null || client.StorageType == Core.Api.StorageTypes.Local || settings.HasBaseDataset;

    public DatasetName Of(ClientEntry client) =>
        client.Dataset is { } own
            ? DatasetName.Parse(own)
            : DatasetName.Parse($"{settings.BaseDataset}/{client.ClientId}");

    /// <summary>At the start: sees that ZFS works and that what clients are stored below is there.</summary>
    /// <exception cref="OperationException">It is not, and a client needs it.</exception>
    public async Task CheckAsync(IReadOnlyCollection<ClientEntry> clients, CancellationToken cancellationToken)
    {
        foreach (var client in clients.Where(client => client.StorageType == Core.Api.StorageTypes.Local))
        {
            var parent = Of(client);
            if (await FindFaultAsync(parent, cancellationToken) is { } fault)
                throw new OperationException(
                    ExitCode.Configuration,
                    $"Client '{client.ClientId}' is stored in ZFS, in {parent}, and that does not work: "
                        + $"{fault.Message}",
                    fault.Remedy
                );
        }

        if (!settings.HasBaseDataset)
            return;
        // The first program's example sets ZFS_BASE_DATASET beside S3: where no client is stored there, nothing depends
        // on it.
        if (await FindAbsenceAsync(settings.BaseDataset, cancellationToken) is { } missing)
            LogNoBase(settings.BaseDataset.Value, missing.Message, missing.Remedy);
    }

    /// <summary>Sees to it that the client's dataset is there.</summary>
    /// <exception cref="RequestException">501: the server has no ZFS for it.</exception>
    public async Task<DatasetName> EnsureAsync(ClientEntry client, CancellationToken cancellationToken)
    {
        var parent = Of(client);
        if (await FindFaultAsync(parent, cancellationToken) is { } fault)
        {
            LogUnavailable(client.ClientId, parent.Value, fault.Message, fault.Remedy);
            throw new RequestException(
                StatusCodes.Status501NotImplemented,
                "storage_type_unavailable",
                "This server has no local ZFS storage for this client; its log says why.",
                "Use STORAGE_TYPE=s3, the server's object store, or let the server's administrator set local storage "
                    + "up.",
                fault
            );
        }

        return parent;
    }

    /// <summary>
    /// Bytes that ZFS says the client takes, with all that it takes to keep them; 0 where nothing is there.
    /// </summary>
    public async Task<long> GetUsedAsync(ClientEntry client, CancellationToken cancellationToken)
    {
        var used = 0L;
        try
        {
            var value = await zfs.RunAsync(
                ["get", "-H", "-p", "-o", "value", "used", Of(client).Value],
                cancellationToken
            );
            used = long.Parse(value.Trim(), CultureInfo.InvariantCulture);
        }
        catch (ZfsException e) when (e.StandardError.Contains("dataset does not exist", StringComparison.Ordinal))
        {
            // Nothing is stored for this client yet.
        }

        _used[client.ClientId] = used;
        return used;
    }

    /// <summary>What <see cref="GetUsedAsync"/> said last.</summary>
    public long LastUsed(string clientId) => _used.GetValueOrDefault(clientId);

    /// <summary>Lets ZFS itself see to the quota: it is exact, and counts what is being received.</summary>
    /// <param name="bytes">0: none.</param>
    /// <returns>False where more is used already.</returns>
    public async Task<bool> TrySetQuotaAsync(ClientEntry client, long bytes, CancellationToken cancellationToken)
    {
        try
        {
            await zfs.RunAsync(
                [
                    "set",
                    $"quota={(bytes == 0 ? "none" : bytes.ToString(CultureInfo.InvariantCulture))}",
                    Of(client).Value,
                ],
                cancellationToken
            );
            return true;
        }
        catch (ZfsException e)
            when (e.StandardError.Contains("size is less than current used", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private async Task<OperationException?> FindFaultAsync(DatasetName parent, CancellationToken cancellationToken)
    {
        try
        {
            if (await zfs.ExistsAsync(parent, cancellationToken))
                return null;
            if (await FindAbsenceAsync(Above(parent), cancellationToken) is { } fault)
                return fault;
            await zfs.RunAsync(
                ["create", "-o", "mountpoint=none", "-o", "canmount=off", parent.Value],
                cancellationToken
            );
            return null;
        }
        catch (ZfsException e) when (e.StandardError.Contains("dataset already exists", StringComparison.Ordinal))
        {
            return null; // another request was faster
        }
        catch (ZfsException e) when (e.StandardError.Contains("permission denied", StringComparison.Ordinal))
        {
            return await FindLackAsync(Above(parent), cancellationToken) ?? e;
        }
        catch (OperationException e)
        {
            return e;
        }
    }

    /// <summary>Sees whether a dataset that an administrator must make is there.</summary>
    /// <returns>Null where it is.</returns>
    public async Task<OperationException?> FindAbsenceAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        try
        {
            if (await zfs.ExistsAsync(dataset, cancellationToken))
                return null;
            var user = await ZfsUser.GetAsync(zfs, cancellationToken);
            var allow = user.IsRoot
                ? ""
                : $" && {ZfsDelegation.AllowLine(user.Name, ZfsDelegation.ForStorage, dataset)}";
            return new OperationException(
                ExitCode.NotFound,
                $"there is no dataset {dataset}.",
                $"Let root run: zfs create -p -o mountpoint=none -o canmount=off {dataset}{allow}"
            );
        }
        catch (OperationException e)
        {
            return e;
        }
    }

    /// <summary>Sees what the server's user may not do with a dataset and has to.</summary>
    /// <returns>Null where nothing is known to lack.</returns>
    public async Task<OperationException?> FindLackAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        try
        {
            var user = await ZfsUser.GetAsync(zfs, cancellationToken);
            var lacking = await ZfsDelegation.FindMissingAsync(
                zfs,
                dataset,
                user,
                ZfsDelegation.ForStorage,
                cancellationToken
            );
            return lacking.Count == 0 ? null : Lacks(user, lacking, dataset);
        }
        catch (OperationException e)
        {
            return e;
        }
    }

    public static OperationException Lacks(ZfsUser user, IReadOnlyList<string> permissions, DatasetName dataset) =>
        new(
            ExitCode.Zfs,
            $"{user.Name} lacks {string.Join(", ", permissions)} on {dataset}.",
            $"Let root run: {ZfsDelegation.AllowLine(user.Name, permissions, dataset)}"
        );

    /// <summary>The dataset that holds it; a pool's is itself.</summary>
    public static DatasetName Above(DatasetName dataset) =>
        dataset.IsPool ? dataset : DatasetName.Parse(dataset.Value[..dataset.Value.LastIndexOf('/')]);

    [LoggerMessage(LogLevel.Warning, "ZFS_BASE_DATASET={Dataset} cannot be used for local storage: {Fault} {Remedy}")]
    private partial void LogNoBase(string dataset, string fault, string? remedy);

    [LoggerMessage(
        LogLevel.Error,
        "Client {ClientId} asked for local storage, and {Dataset} cannot be used: {Fault} {Remedy}"
    )]
    private partial void LogUnavailable(string clientId, string dataset, string fault, string? remedy);
}
