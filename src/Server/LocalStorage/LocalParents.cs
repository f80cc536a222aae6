using System.Collections.Concurrent;
using System.Globalization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.LocalStorage;

/// <summary>The datasets below which clients are stored: made on first use, and bounded by the client's quota.</summary>
internal sealed partial class LocalParents(ServerSettings settings, ILogger<LocalParents> logger)
{
    /// <summary>What an unprivileged server must be allowed, found by leaving out each on OpenZFS 2.3.2; docs/operations.md says what each is for.</summary>
    public const string Permissions =
        "create,mount,receive,destroy,send,userprop,quota,canmount,mountpoint,readonly,setuid,exec,devices,sharenfs,sharesmb,atime,volmode";

    /// <summary>The last that was seen of each client's space: requests for the object store must count it, too.</summary>
    private readonly ConcurrentDictionary<string, long> _used = new(StringComparer.Ordinal);

    /// <summary>Whether a client may ask for local storage at all.</summary>
    public bool IsOffered(ClientEntry client) => client.Dataset is not null || settings.HasBaseDataset;

    public DatasetName Of(ClientEntry client) => client.Dataset is { } own ? DatasetName.Parse(own) : DatasetName.Parse($"{settings.BaseDataset}/{client.ClientId}");

    /// <summary>At the start: sees that ZFS works and that what clients are stored below is there.</summary>
    /// <exception cref="OperationException">It is not, and a client needs it.</exception>
    public async Task CheckAsync(IReadOnlyCollection<ClientEntry> clients, CancellationToken cancellationToken)
    {
        foreach (var client in clients.Where(client => client.StorageType == Core.Api.StorageTypes.Local))
        {
            var parent = Of(client);
            if (await FindFaultAsync(parent, cancellationToken).ConfigureAwait(false) is { } fault) throw new OperationException(ExitCode.Configuration, $"Client '{client.ClientId}' is stored in ZFS, in {parent}, and that does not work: {fault.Message}", fault.Remedy);
        }

        if (!settings.HasBaseDataset) return;
        // The first program's example sets ZFS_BASE_DATASET beside S3: where no client is stored there, nothing depends on it.
        if (await FindBaseFaultAsync(settings.BaseDataset, cancellationToken).ConfigureAwait(false) is { } missing) LogNoBase(settings.BaseDataset.Value, missing.Message, missing.Remedy);
    }

    /// <summary>Sees to it that the client's dataset is there.</summary>
    /// <exception cref="RequestException">501: the server has no ZFS for it.</exception>
    public async Task<DatasetName> EnsureAsync(ClientEntry client, CancellationToken cancellationToken)
    {
        var parent = Of(client);
        if (await FindFaultAsync(parent, cancellationToken).ConfigureAwait(false) is { } fault)
        {
            LogUnavailable(client.ClientId, parent.Value, fault.Message, fault.Remedy);
            throw new RequestException(StatusCodes.Status501NotImplemented, "storage_type_unavailable", "This server has no local ZFS storage for this client; its log says why.", "Use STORAGE_TYPE=s3, the server's object store, or let the server's administrator set local storage up.", fault);
        }

        return parent;
    }

    /// <summary>Bytes that ZFS says the client takes, with all that it takes to keep them; 0 where nothing is there.</summary>
    public async Task<long> GetUsedAsync(ClientEntry client, CancellationToken cancellationToken)
    {
        try
        {
            var value = await ZfsCommand.RunAsync(["get", "-H", "-p", "-o", "value", "used", Of(client).Value], cancellationToken).ConfigureAwait(false);
            return _used[client.ClientId] = long.Parse(value.Trim(), CultureInfo.InvariantCulture);
        }
        catch (ZfsException e) when (e.StandardError.Contains("dataset does not exist", StringComparison.Ordinal))
        {
            return _used[client.ClientId] = 0;
        }
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
            await ZfsCommand.RunAsync(["set", $"quota={(bytes == 0 ? "none" : bytes.ToString(CultureInfo.InvariantCulture))}", Of(client).Value], cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (ZfsException e) when (e.StandardError.Contains("size is less than current used", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private static async Task<OperationException?> FindFaultAsync(DatasetName parent, CancellationToken cancellationToken)
    {
        try
        {
            if (await ZfsDataset.ExistsAsync(parent, cancellationToken).ConfigureAwait(false)) return null;
            if (parent.IsPool) return NotThere(parent);
            if (await FindBaseFaultAsync(DatasetName.Parse(parent.Value[..parent.Value.LastIndexOf('/')]), cancellationToken).ConfigureAwait(false) is { } fault) return fault;
            await ZfsCommand.RunAsync(["create", "-o", "mountpoint=none", "-o", "canmount=off", parent.Value], cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (ZfsException e) when (e.StandardError.Contains("dataset already exists", StringComparison.Ordinal))
        {
            return null; // another request was faster
        }
        catch (OperationException e)
        {
            return e is ZfsException zfs && zfs.StandardError.Contains("permission denied", StringComparison.Ordinal)
                ? new OperationException(ExitCode.Zfs, e.Message, $"As root: zfs allow -u {Environment.UserName} {Permissions} {Above(parent)}", e)
                : e;
        }
    }

    private static async Task<OperationException?> FindBaseFaultAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        try
        {
            return await ZfsDataset.ExistsAsync(dataset, cancellationToken).ConfigureAwait(false) ? null : NotThere(dataset);
        }
        catch (OperationException e)
        {
            return e;
        }
    }

    private static OperationException NotThere(DatasetName dataset) => new(
        ExitCode.NotFound,
        $"there is no dataset {dataset}.",
        $"As root: zfs create -p -o mountpoint=none -o canmount=off {dataset}; and where the server does not run as root: zfs allow -u {Environment.UserName} {Permissions} {dataset}");

    private static string Above(DatasetName dataset) => dataset.IsPool ? dataset.Value : dataset.Value[..dataset.Value.LastIndexOf('/')];

    [LoggerMessage(LogLevel.Warning, "ZFS_BASE_DATASET={Dataset} cannot be used for local storage: {Fault} {Remedy}")]
    private partial void LogNoBase(string dataset, string fault, string? remedy);

    [LoggerMessage(LogLevel.Error, "Client {ClientId} asked for local storage, and {Dataset} cannot be used: {Fault} {Remedy}")]
    private partial void LogUnavailable(string clientId, string dataset, string fault, string? remedy);
}
