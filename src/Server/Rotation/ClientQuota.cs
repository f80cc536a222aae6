using System.Collections.Concurrent;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.LocalStorage;

namespace ZfsSnapshotManager.Server.Rotation;

/// <summary>
/// Sees to it that a client stores no more than its quota. What the catalogue counts and what is on its way in are added under one lock, so
/// that two uploads cannot both take the last place.
/// </summary>
internal sealed class ClientQuota(BackupCatalogue catalogue, RotationRun rotation, LocalParents parents, ServerSettings settings)
{
    private readonly ConcurrentDictionary<string, Account> _accounts = new(StringComparer.Ordinal);

    /// <returns>Bytes of the client's backups, and bytes of what is on its way in.</returns>
    public (long Used, long Reserved) GetUsage(string clientId)
    {
        var (used, parts) = catalogue.GetStoredBytes(clientId);
        return (used + parents.LastUsed(clientId), parts + (_accounts.TryGetValue(clientId, out var account) ? account.Reserved : 0));
    }

    /// <summary>Begins a reservation of nothing.</summary>
    public Reservation Open(ClientEntry client) => new(this, client, _accounts.GetOrAdd(client.ClientId, _ => new Account()));

    /// <summary>Refuses where not even one more byte may be stored.</summary>
    /// <exception cref="RequestException">507.</exception>
    public async Task CheckAsync(ClientEntry client)
    {
        if (client.MaxSizeBytes > 0 && catalogue.HasLocal(client.ClientId)) await parents.GetUsedAsync(client, CancellationToken.None).ConfigureAwait(false);
        using var reservation = Open(client);
        await reservation.GrowAsync(1).ConfigureAwait(false);
    }

    /// <summary>
    /// Sees to it that a client may store so much more in ZFS, and lets ZFS itself refuse what passes the quota: it counts exactly, also what
    /// several uploads write at once, but some seconds late.
    /// </summary>
    /// <exception cref="RequestException">507: there is no room, and rotation cannot make any.</exception>
    public async Task EnsureLocalAsync(ClientEntry client, long bytes, CancellationToken cancellationToken)
    {
        if (client.MaxSizeBytes == 0)
        {
            await parents.TrySetQuotaAsync(client, 0, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (await HasLocalRoomAsync(client, bytes, cancellationToken).ConfigureAwait(false)) return;
        var account = _accounts.GetOrAdd(client.ClientId, _ => new Account());
        await account.Rotating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (await HasLocalRoomAsync(client, bytes, cancellationToken).ConfigureAwait(false)) return;
            var (used, reserved) = GetUsage(client.ClientId);
            await rotation.FreeAsync(client, used + reserved + bytes - client.MaxSizeBytes).ConfigureAwait(false);
            if (!await HasLocalRoomAsync(client, bytes, cancellationToken).ConfigureAwait(false)) throw Exceeded(client, bytes);
        }
        finally
        {
            account.Rotating.Release();
        }
    }

    private async Task<bool> HasLocalRoomAsync(ClientEntry client, long bytes, CancellationToken cancellationToken)
    {
        var local = await parents.GetUsedAsync(client, cancellationToken).ConfigureAwait(false);
        var (used, reserved) = GetUsage(client.ClientId);
        var objects = used - local + reserved;
        if (objects + local + bytes > client.MaxSizeBytes) return false;
        return await parents.TrySetQuotaAsync(client, client.MaxSizeBytes - objects, cancellationToken).ConfigureAwait(false);
    }

    private bool TryReserve(ClientEntry client, Account account, long bytes)
    {
        lock (account)
        {
            if (client.MaxSizeBytes > 0)
            {
                var (backups, parts) = catalogue.GetStoredBytes(client.ClientId);
                if (backups + parts + parents.LastUsed(client.ClientId) + account.Reserved + bytes > client.MaxSizeBytes) return false;
            }

            account.Reserved += bytes;
            return true;
        }
    }

    /// <summary>One rotation at a time: while one makes room the next one waits, and then needs less.</summary>
    private async Task FreeAndReserveAsync(ClientEntry client, Account account, long bytes)
    {
        await account.Rotating.WaitAsync().ConfigureAwait(false);
        try
        {
            if (TryReserve(client, account, bytes)) return;
            var (used, reserved) = GetUsage(client.ClientId);
            await rotation.FreeAsync(client, used + reserved + bytes - client.MaxSizeBytes).ConfigureAwait(false);
            if (!TryReserve(client, account, bytes)) throw Exceeded(client, bytes);
        }
        finally
        {
            account.Rotating.Release();
        }
    }

    private RequestException Exceeded(ClientEntry client, long bytes)
    {
        var (used, reserved) = GetUsage(client.ClientId);
        var floor = client.RotationPolicy is { } policy ? $"what the server's policy keeps ({policy}) is not deleted for space" : "of each dataset the newest chain is not deleted for space";
        var expiring = settings.DeleteDelay > TimeSpan.Zero ? $" Rotated backups are deleted after {settings.DeleteDelay.TotalHours:0} hours; GET /status counts them." : "";
        return new RequestException(
            StatusCodes.Status507InsufficientStorage,
            "quota_exceeded",
            $"The quota of {client.ClientId} is {ByteSize.Format(client.MaxSizeBytes)} ({client.MaxSizeBytes} bytes): {used} bytes are used, {reserved} reserved by uploads, and {bytes} more are wanted; {floor}.",
            $"Nothing of this backup was kept; all others are as they were.{expiring} Raise the quota (zfs-server client set {client.ClientId} --max-size SIZE), keep fewer backups, or pin fewer.");
    }

    internal sealed class Account
    {
        private long _reserved;

        public SemaphoreSlim Rotating { get; } = new(1);

        public long Reserved
        {
            get => Interlocked.Read(ref _reserved);
            set => Interlocked.Exchange(ref _reserved, value);
        }
    }

    /// <summary>Bytes that are on their way in; given back when it is disposed, by when the catalogue counts what was stored.</summary>
    internal sealed class Reservation(ClientQuota quota, ClientEntry client, Account account) : IDisposable
    {
        private const long Step = 8 * 1024 * 1024;

        private long _bytes;

        /// <summary>Takes more; where there is no room, rotation makes some.</summary>
        /// <exception cref="RequestException">507: there is none.</exception>
        public async ValueTask GrowAsync(long bytes)
        {
            if (!quota.TryReserve(client, account, bytes)) await quota.FreeAndReserveAsync(client, account, bytes).ConfigureAwait(false);
            _bytes += bytes;
        }

        /// <summary>Sees to it that so many bytes are reserved in all. More than that is taken where it is free: to ask for each block would cost.</summary>
        /// <exception cref="RequestException">507: there is no room.</exception>
        public async ValueTask EnsureAsync(long total)
        {
            if (total <= _bytes) return;
            var (needed, ahead) = (total - _bytes, total - _bytes + Step);
            if (quota.TryReserve(client, account, ahead)) _bytes += ahead;
            else await GrowAsync(needed).ConfigureAwait(false);
        }

        public void Dispose()
        {
            lock (account) account.Reserved -= _bytes;
            _bytes = 0;
        }
    }
}
