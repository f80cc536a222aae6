using System.Collections.Concurrent;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Rotation;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Quota;

/// <summary>
/// Enforces the quotas of clients. What the catalogue counts and what is being received are added under one lock, so
/// that two uploads cannot both use the last bytes.
/// </summary>
internal sealed class ClientQuota(
    BackupCatalogue catalogue,
    RotationRun rotation,
    BackupRemoval removal,
    ClientDatasets datasets,
    ServerSettings settings
)
{
    /// <summary>
    /// How long an upload waits for the store to delete what makes room for it. Small requests of clients time out
    /// after a minute.
    /// </summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, Account> _accounts = new(StringComparer.Ordinal);

    /// <returns>Bytes of the client's backups, and bytes that are being received.</returns>
    public (long Used, long Reserved) GetUsage(string clientId)
    {
        var account = _accounts.GetOrAdd(clientId, _ => new Account());
        lock (account.Lock)
        {
            var (used, parts) = catalogue.GetStoredBytes(clientId);
            return (used + datasets.LastUsed(clientId), parts + account.Used);
        }
    }

    /// <summary>Opens an empty reservation.</summary>
    /// <param name="findTotal">Finds how many bytes it will have at least, as far as is known; it is asked before
    /// backups are deleted for it.</param>
    public Reservation Open(ClientEntry client, Func<long> findTotal) =>
        new(this, client, _accounts.GetOrAdd(client.ClientId, _ => new Account()), findTotal);

    /// <summary>
    /// Refuses what cannot fit, even if all is deleted that rotation may delete. Deletes nothing: the upload may still
    /// fail.
    /// </summary>
    /// <exception cref="RequestException">507.</exception>
    public async Task CheckAsync(ClientEntry client, UploadRecord wanted)
    {
        if (client.MaxSizeBytes == 0)
            return;
        if (wanted.IsLocal || catalogue.HasLocal(client.ClientId))
            await datasets.GetUsedAsync(client, CancellationToken.None);
        var expected = ExpectedSize.WhenAnnounced(
            wanted.ReliableEstimate,
            IsCompressed(wanted),
            catalogue.FindStoredShare(wanted)
        );
        var bytes = Math.Max(1, expected);
        if (FindExcess(client, bytes) is var excess && excess <= 0)
            return;
        var deletable = await rotation.CountDeletableAsync(client);
        if (deletable + removal.FindPending(client.ClientId).Bytes < excess)
            throw Exceeded(client, bytes, deletable);
    }

    /// <summary>
    /// How many bytes an upload will still need at least, beyond those that have arrived, as far as is known.
    /// </summary>
    /// <param name="stored">Stored bytes that have arrived.</param>
    /// <param name="streamed">Bytes of the stream that they hold.</param>
    public long FindRest(UploadRecord upload, long stored = 0, long streamed = 0)
    {
        var share = catalogue.FindStoredShare(upload);
        // What ZFS makes of what has arrived is not known from the bytes that were sent.
        if (upload.IsLocal)
            return ExpectedSize.BeforeDeletion(Math.Max(0, (upload.ReliableEstimate ?? 0) - streamed), true, share);
        var total = ExpectedSize.BeforeDeletion(upload.ReliableEstimate, IsCompressed(upload), share, stored, streamed);
        return Math.Max(0, total - stored);
    }

    /// <summary>
    /// Makes room for a client to store so much more in ZFS, and sets the quota in ZFS, which counts exactly what
    /// several uploads write at once, but some seconds late.
    /// </summary>
    /// <param name="bytes">Bytes that arrive next.</param>
    /// <param name="findRest">Finds how many the upload will need with them, as far as is known.</param>
    /// <exception cref="RequestException">507: the quota is exhausted, and rotation cannot make room.</exception>
    public async Task EnsureLocalAsync(
        ClientEntry client,
        long bytes,
        Func<long> findRest,
        CancellationToken cancellationToken
    )
    {
        if (client.MaxSizeBytes == 0)
        {
            await datasets.TrySetQuotaAsync(client, 0, cancellationToken);
            return;
        }

        if (await HasLocalRoomAsync(client, bytes, cancellationToken))
            return;
        var account = _accounts.GetOrAdd(client.ClientId, _ => new Account());
        await account.Rotating.WaitAsync(cancellationToken);
        try
        {
            if (await HasLocalRoomAsync(client, bytes, cancellationToken))
                return;
            var inAll = Math.Max(bytes, findRest());
            var deletable = await rotation.MakeRoomAsync(client, FindExcess(client, bytes), FindExcess(client, inAll));
            if (!await HasLocalRoomAsync(client, bytes, cancellationToken))
                throw Refuse(client, bytes, inAll, deletable);
        }
        finally
        {
            account.Rotating.Release();
        }
    }

    private async Task<bool> HasLocalRoomAsync(ClientEntry client, long bytes, CancellationToken cancellationToken)
    {
        var known = datasets.LastUsed(client.ClientId);
        var before = GetUsage(client.ClientId);
        var most = client.MaxSizeBytes - (before.Used - known + before.Reserved);
        if (datasets.TryAccept(client.ClientId, bytes, most))
            return await datasets.TrySetQuotaAsync(client, most, cancellationToken);
        var local = await datasets.GetUsedAsync(client, cancellationToken);
        var (used, reserved) = GetUsage(client.ClientId);
        var objects = used - local + reserved;
        if (objects + local + bytes > client.MaxSizeBytes)
            return false;
        return await datasets.TrySetQuotaAsync(client, client.MaxSizeBytes - objects, cancellationToken);
    }

    /// <summary>
    /// If the quota is exhausted, what uploads reserved ahead and have not used is reclaimed first: whatever fits is
    /// accepted.
    /// </summary>
    /// <param name="total">Bytes that the reservation must have in total.</param>
    /// <param name="ahead">Bytes to reserve ahead, as many as are available.</param>
    private bool TryReserve(Reservation reservation, long total, long ahead)
    {
        var (client, account) = (reservation.Client, reservation.Account);
        lock (account.Lock)
        {
            if (total > reservation.Bytes)
            {
                var stored = client.MaxSizeBytes > 0 ? CountStored(client) : 0;
                if (total - reservation.Bytes > Available())
                    account.ReclaimUnused();
                if (total - reservation.Bytes > Available())
                    return false;
                reservation.Bytes += Math.Min(total - reservation.Bytes + ahead, Available());

                long Available() =>
                    client.MaxSizeBytes > 0 ? client.MaxSizeBytes - stored - account.Bytes : long.MaxValue;
            }

            reservation.Used = total;
            return true;
        }
    }

    private long CountStored(ClientEntry client)
    {
        var (backups, parts) = catalogue.GetStoredBytes(client.ClientId);
        return backups + parts + datasets.LastUsed(client.ClientId);
    }

    /// <summary>One rotation at a time: the next one waits, and then needs less.</summary>
    private async Task MakeRoomAndReserveAsync(Reservation reservation, long total)
    {
        var client = reservation.Client;
        await reservation.Account.Rotating.WaitAsync();
        try
        {
            if (TryReserve(reservation, total, ahead: 0))
                return;
            var wanted = total - reservation.Used;
            var inAll = Math.Max(total, reservation.FindTotal()) - reservation.Used;
            var deletable = await rotation.MakeRoomAsync(client, FindExcess(client, wanted), FindExcess(client, inAll));
            if (!await removal.WaitAsync(client.ClientId, () => TryReserve(reservation, total, ahead: 0), Patience))
                throw Refuse(client, wanted, inAll, deletable);
        }
        finally
        {
            reservation.Account.Rotating.Release();
        }
    }

    /// <summary>ZFS compresses what it stores by itself.</summary>
    private static bool IsCompressed(UploadRecord upload) =>
        upload.IsLocal || upload.Compression != CompressionFormat.None;

    /// <summary>By how much a client would pass its quota with so many more bytes.</summary>
    private long FindExcess(ClientEntry client, long bytes)
    {
        var (used, reserved) = GetUsage(client.ClientId);
        return used + reserved + bytes - client.MaxSizeBytes;
    }

    /// <param name="now">Bytes that are needed now.</param>
    /// <param name="inAll">Bytes that will be needed, as far as is known.</param>
    /// <param name="deletable">Bytes of backups that rotation may delete.</param>
    private RequestException Refuse(ClientEntry client, long now, long inAll, long deletable)
    {
        var (pending, fault) = removal.FindPending(client.ClientId);
        if (!removal.HasPendingLocal(client.ClientId) && (pending == 0 || pending < FindExcess(client, now)))
            return Exceeded(client, inAll, deletable);
        return new RequestException(
            StatusCodes.Status503ServiceUnavailable,
            "server_busy",
            $"Backups are being deleted to make room within the quota of {client.ClientId}"
                + (fault is null ? "." : $", which fails: {fault}"),
            "Try again later. On the server, 'zfs-server jobs list' shows how far it is."
        );
    }

    private RequestException Exceeded(ClientEntry client, long bytes, long deletable)
    {
        var (used, reserved) = GetUsage(client.ClientId);
        var floor = client.RotationPolicy is { } policy
            ? $"what the server's policy keeps ({policy}) is not deleted to make room"
            : "the newest chain of each dataset is not deleted to make room";
        var expiring =
            settings.DeleteDelayForSpace > TimeSpan.Zero && deletable > 0
                ? $" Rotated backups are deleted {settings.DeleteDelayForSpace.TotalHours:0} hours later "
                    + "(DELETE_DELAY_HOURS); GET /status counts them."
                : "";
        return new RequestException(
            StatusCodes.Status507InsufficientStorage,
            "quota_exceeded",
            $"The quota of {client.ClientId} is {ByteSize.Format(client.MaxSizeBytes)} ({client.MaxSizeBytes} "
                + $"bytes): {used} bytes are used, {reserved} are reserved by uploads, and {bytes} more are needed. "
                + $"Backups of {deletable} bytes may be deleted for it; {floor}.",
            "Nothing of this backup was kept, and nothing is deleted for an upload that is known not to fit."
                + $"{expiring} "
                + $"Raise the quota (zfs-server client set {client.ClientId} --max-size SIZE), keep fewer backups, "
                + "or pin fewer."
        );
    }

    /// <summary>The open reservations of one client.</summary>
    internal sealed class Account
    {
        private readonly List<Reservation> _open = [];

        /// <summary>Guards the numbers of all reservations.</summary>
        public Lock Lock { get; } = new();

        public SemaphoreSlim Rotating { get; } = new(1);

        public long Bytes => _open.Sum(reservation => reservation.Bytes);

        public long Used => _open.Sum(reservation => reservation.Used);

        public void ReclaimUnused()
        {
            foreach (var reservation in _open)
                reservation.Bytes = reservation.Used;
        }

        public void Add(Reservation reservation)
        {
            lock (Lock)
                _open.Add(reservation);
        }

        public void Remove(Reservation reservation)
        {
            lock (Lock)
                _open.Remove(reservation);
        }
    }

    /// <summary>Bytes that are being received; released when it is disposed.</summary>
    internal sealed class Reservation : IDisposable
    {
        /// <summary>
        /// Bytes that an upload reserves ahead, so that the catalogue is not queried for each of its blocks.
        /// </summary>
        private const long Ahead = 8 * 1024 * 1024;

        private readonly ClientQuota _quota;

        public Reservation(ClientQuota quota, ClientEntry client, Account account, Func<long> findTotal)
        {
            (_quota, Client, Account, FindTotal) = (quota, client, account, findTotal);
            account.Add(this);
        }

        public ClientEntry Client { get; }

        public Account Account { get; }

        /// <summary>Finds how many bytes it will have at least, as far as is known.</summary>
        public Func<long> FindTotal { get; }

        /// <summary>
        /// All reserved bytes; those beyond <see cref="Used"/> were reserved ahead. Guarded by the account's lock.
        /// </summary>
        public long Bytes { get; set; }

        /// <summary>The bytes that were requested. Guarded by the account's lock.</summary>
        public long Used { get; set; }

        /// <summary>Reserves more; if the quota is exhausted, rotation makes room.</summary>
        /// <exception cref="RequestException">507: it cannot.</exception>
        public ValueTask GrowAsync(long bytes) => EnsureAsync(Used + bytes, ahead: 0);

        /// <summary>Reserves so many bytes in total.</summary>
        /// <exception cref="RequestException">507: the quota is exhausted.</exception>
        public ValueTask EnsureAsync(long total) => EnsureAsync(total, Ahead);

        /// <summary>
        /// Records what was stored in the catalogue and ends the reservation in one step: others never see both
        /// counted, or neither.
        /// </summary>
        /// <param name="write">Writes it into the catalogue.</param>
        public T Finish<T>(Func<T> write)
        {
            lock (Account.Lock)
            {
                var result = write();
                (Bytes, Used) = (0, 0);
                return result;
            }
        }

        public void Dispose() => Account.Remove(this);

        private async ValueTask EnsureAsync(long total, long ahead)
        {
            if (!_quota.TryReserve(this, total, ahead))
                await _quota.MakeRoomAndReserveAsync(this, total);
        }
    }
}
