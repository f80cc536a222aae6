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
/// The datasets that contain the backups of clients: created on first use, and limited by the client's quota.
/// </summary>
internal sealed partial class ClientDatasets(
    ServerSettings settings,
    ZfsHost zfs,
    TimeProvider time,
    ILogger<ClientDatasets> logger
)
{
    /// <summary>How long the space that was read last counts: each read is a process, and parts are many.</summary>
    private static readonly TimeSpan UsedLasts = TimeSpan.FromSeconds(30);

    /// <summary>How long a quota counts as set. It may have gone with a dataset that was created again.</summary>
    private static readonly TimeSpan QuotaLasts = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The space of each client as last read: requests for the object store must count it too.
    /// </summary>
    private readonly ConcurrentDictionary<string, UsedSpace> _used = new(StringComparer.Ordinal);

    /// <summary>The quota of each client that was set last, in bytes, and when.</summary>
    private readonly ConcurrentDictionary<string, (long Bytes, long At)> _quotas = new(StringComparer.Ordinal);

    /// <summary>Whether a client may ask for local storage at all.</summary>
    public bool IsOffered(ClientEntry client) =>
        client.Dataset is not null || client.StorageType == Core.Api.StorageTypes.Local || settings.HasBaseDataset;

    public DatasetName Of(ClientEntry client) =>
        client.Dataset is { } own
            ? DatasetName.Parse(own)
            : DatasetName.Parse($"{settings.BaseDataset}/{client.ClientId}");

    /// <summary>
    /// How long ZFS may take at the start, where everybody waits: less than a request. A pool that does not answer by
    /// then is left to the requests that need it.
    /// </summary>
    internal TimeSpan StartPatience { private get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>At start: checks that ZFS works and that the datasets of clients exist or can be created.</summary>
    /// <exception cref="OperationException">They do not, and a client needs one.</exception>
    public Task CheckAsync(IReadOnlyCollection<ClientEntry> clients, CancellationToken cancellationToken) =>
        new ClientDatasets(settings, zfs.WithTimeout(StartPatience), time, logger).LookAsync(
            clients,
            cancellationToken
        );

    private async Task LookAsync(IReadOnlyCollection<ClientEntry> clients, CancellationToken cancellationToken)
    {
        var away = new HashSet<string>(StringComparer.Ordinal);
        foreach (var client in clients.Where(client => client.StorageType == Core.Api.StorageTypes.Local))
        {
            var parent = Of(client);
            if (away.Contains(parent.Pool))
                continue;
            var fault = await FindFaultAsync(parent, cancellationToken);
            if (fault is ZfsException { End: ZfsEnd.Killed } or ZfsException { IsSuspended: true })
            {
                away.Add(parent.Pool);
                LogUnavailable(client.ClientId, parent.Value, fault.Message, fault.Remedy);
            }
            else if (fault is not null)
            {
                throw new OperationException(
                    ExitCode.Configuration,
                    $"Client '{client.ClientId}' is stored in ZFS, in {parent}, which cannot be used: "
                        + $"{fault.Message}",
                    fault.Remedy
                );
            }
        }

        if (!settings.HasBaseDataset || away.Contains(settings.BaseDataset.Pool))
            return;
        // The example settings of the first version set ZFS_BASE_DATASET even with S3: if no client is stored there,
        // nothing depends on it.
        if (await FindAbsenceAsync(settings.BaseDataset, cancellationToken) is { } missing)
            LogNoBase(settings.BaseDataset.Value, missing.Message, missing.Remedy);
    }

    /// <summary>Creates the client's dataset if it does not exist.</summary>
    /// <exception cref="RequestException">501: the server cannot store this client in ZFS.</exception>
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
                "Use STORAGE_TYPE=s3, the server's object store, or ask the server's administrator to set up local "
                    + "storage.",
                fault
            );
        }

        return parent;
    }

    /// <summary>
    /// Bytes that the client uses in ZFS, with all overhead; 0 if its dataset does not exist.
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

        _used[client.ClientId] = new UsedSpace(used, time.GetTimestamp());
        return used;
    }

    /// <summary>What <see cref="GetUsedAsync"/> returned last.</summary>
    public long LastUsed(string clientId) => _used.GetValueOrDefault(clientId)?.Bytes ?? 0;

    /// <summary>
    /// Whether there is room by what was read a moment ago and what was accepted since. ZFS itself enforces the quota.
    /// </summary>
    /// <param name="bytes">What is accepted if there is.</param>
    /// <param name="most">What may be used.</param>
    /// <returns>False if the space must be read again.</returns>
    public bool TryAccept(string clientId, long bytes, long most) =>
        _used.TryGetValue(clientId, out var last)
        && time.GetElapsedTime(last.At) < UsedLasts
        && last.TryAccept(bytes, most);

    /// <summary>Sets the quota in ZFS, which is exact and counts what is being received.</summary>
    /// <param name="bytes">0: no quota.</param>
    /// <returns>False if more than that is used.</returns>
    public async Task<bool> TrySetQuotaAsync(ClientEntry client, long bytes, CancellationToken cancellationToken)
    {
        if (
            _quotas.TryGetValue(client.ClientId, out var last)
            && last.Bytes == bytes
            && time.GetElapsedTime(last.At) < QuotaLasts
        )
            return true;
        try
        {
            if (bytes > 0 || await HasOwnQuotaAsync(client, cancellationToken))
            {
                var value = bytes == 0 ? "none" : bytes.ToString(CultureInfo.InvariantCulture);
                await zfs.RunAsync(
                    ["set", $"quota={value}", $"{ZfsStorageProperties.Quota}={value}", Of(client).Value],
                    cancellationToken
                );
            }

            _quotas[client.ClientId] = (bytes, time.GetTimestamp());
            return true;
        }
        catch (ZfsException e)
            when (e.StandardError.Contains("size is less than current used", StringComparison.Ordinal))
        {
            return false;
        }
    }

    /// <summary>Whether the quota in ZFS is the one that the server set: an administrator's stays.</summary>
    private async Task<bool> HasOwnQuotaAsync(ClientEntry client, CancellationToken cancellationToken)
    {
        var rows = await zfs.RunTableAsync(
            ["get", "-H", "-p", "-o", "value", $"quota,{ZfsStorageProperties.Quota}", Of(client).Value],
            cancellationToken
        );
        return rows.ToList() is [[var quota], [var own]] && quota == own;
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

    /// <summary>Checks whether a dataset that an administrator must create exists.</summary>
    /// <returns>The fault; null if it exists.</returns>
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
                $"the dataset {dataset} does not exist.",
                $"Let root run: zfs create -p -o mountpoint=none -o canmount=off {dataset}{allow}"
            );
        }
        catch (OperationException e)
        {
            return e;
        }
    }

    /// <summary>Finds the permissions on a dataset that the server's user lacks.</summary>
    /// <returns>The fault; null if none is missing.</returns>
    public async Task<OperationException?> FindLackAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        try
        {
            var user = await ZfsUser.GetAsync(zfs, cancellationToken);
            var missing = await ZfsDelegation.FindMissingAsync(
                zfs,
                dataset,
                user,
                ZfsDelegation.ForStorage,
                cancellationToken
            );
            return missing.Count == 0 ? null : MissingPermissions(user, missing, dataset);
        }
        catch (OperationException e)
        {
            return e;
        }
    }

    public static OperationException MissingPermissions(
        ZfsUser user,
        IReadOnlyList<string> permissions,
        DatasetName dataset
    ) =>
        new(
            ExitCode.Zfs,
            $"{user.Name} lacks {string.Join(", ", permissions)} on {dataset}.",
            $"Let root run: {ZfsDelegation.AllowLine(user.Name, permissions, dataset)}"
        );

    /// <summary>The parent dataset; a pool is its own.</summary>
    public static DatasetName Above(DatasetName dataset) =>
        dataset.IsPool ? dataset : DatasetName.Parse(dataset.Value[..dataset.Value.LastIndexOf('/')]);

    /// <param name="bytes">As ZFS said.</param>
    /// <param name="at">When it was asked; a timestamp.</param>
    private sealed class UsedSpace(long bytes, long at)
    {
        private readonly Lock _lock = new();
        private long _accepted;

        public long Bytes => bytes;

        public long At => at;

        public bool TryAccept(long more, long most)
        {
            lock (_lock)
            {
                if (bytes + _accepted + more > most)
                    return false;
                _accepted += more;
                return true;
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "ZFS_BASE_DATASET={Dataset} cannot be used for local storage: {Fault} {Remedy}")]
    private partial void LogNoBase(string dataset, string fault, string? remedy);

    [LoggerMessage(LogLevel.Error, "Local storage of client {ClientId}: {Dataset} cannot be used: {Fault} {Remedy}")]
    private partial void LogUnavailable(string clientId, string dataset, string fault, string? remedy);
}
