using System.Collections.Concurrent;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// Starts the receive of a stream once its BEGIN is known: chooses its target, or resumes where an earlier receive
/// ended.
/// </summary>
internal sealed class ReceiveStart(
    ZfsHost zfs,
    ClientDatasets datasets,
    ZfsReceives receives,
    UploadCatalogue uploads,
    DeletionCatalogue deletions,
    ClientQuota quota,
    ServerSettings settings,
    TimeProvider time
) : IDisposable
{
    /// <summary>
    /// One at a time below each client's dataset: two must not choose the same name. A pool that does not answer must
    /// not keep those of others waiting.
    /// </summary>
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _choosing = new(StringComparer.Ordinal);

    /// <exception cref="RequestException">It cannot be received; nothing was changed.</exception>
    public async Task<ZfsReceive> RunAsync(
        UploadRecord upload,
        ClientEntry client,
        SnapshotStreamInfo begin,
        CancellationToken cancellationToken
    )
    {
        var choosing = _choosing.GetOrAdd(datasets.Of(client).Value, _ => new SemaphoreSlim(1));
        await choosing.WaitAsync(cancellationToken);
        try
        {
            await receives.EndAsync(upload.UploadId); // a body that is sent again starts from its beginning
            var parent = await datasets.EnsureAsync(client, cancellationToken);
            await quota.EnsureLocalAsync(client, 1, () => quota.FindRest(upload), cancellationToken);
            ZfsReceive receive;
            if (begin.IsResumed)
                receive = await ResumeAsync(upload, begin, cancellationToken);
            else
                receive = await BeginAsync(upload, parent, begin, cancellationToken);
            receives.Add(upload.UploadId, receive);
            return receive;
        }
        catch (ZfsException e)
        {
            throw ZfsFaults.Unavailable(e);
        }
        finally
        {
            choosing.Release();
        }
    }

    public void Dispose()
    {
        foreach (var choosing in _choosing.Values)
            choosing.Dispose();
    }

    /// <summary>Whether a stream continues exactly where the receive ended.</summary>
    public static bool Fits(ResumeToken token, SnapshotStreamInfo begin) =>
        token.SnapshotGuid == begin.SnapshotGuid
        && (token.BaseGuid ?? 0) == begin.BaseGuid
        && begin.ResumePoint == new ResumePoint(token.Object, token.Offset);

    private async Task<ZfsReceive> ResumeAsync(
        UploadRecord upload,
        SnapshotStreamInfo begin,
        CancellationToken cancellationToken
    )
    {
        if (upload.ZfsSnapshot is not { } target || receives.IsReceiving(target.Dataset))
            throw ZfsFaults.Interrupted();
        var text = await zfs.FindResumeTokenAsync(target.Dataset, cancellationToken);
        if (!ResumeToken.TryParse(text, out var token) || !Fits(token, begin))
            throw ZfsFaults.Interrupted();
        await DemandNoSnapshotAsync(upload, cancellationToken);
        // The note stays until this receive has one: of an earlier receive, behind an ssh that broke, END may arrive
        // even now.
        return ZfsReceive.Start(zfs, target, (long)token.Bytes, [], settings.UploadIdleTimeout, time);
    }

    private async Task<ZfsReceive> BeginAsync(
        UploadRecord upload,
        DatasetName parent,
        SnapshotStreamInfo begin,
        CancellationToken cancellationToken
    )
    {
        if (upload.ZfsSnapshot is { } before && !receives.IsReceiving(before.Dataset))
            await zfs.AbortReceiveAsync(before.Dataset, cancellationToken);
        // After that, which fails while an earlier receive goes on. From here on nobody knows of its snapshot.
        await DemandNoSnapshotAsync(upload, cancellationToken);
        var chains = await ReceivedDatasets.ListAsync(zfs, parent, upload.ClientId, cancellationToken);
        var target = ReceiveTarget.Choose(
            parent,
            upload.DatasetName,
            begin,
            chains,
            await ListUsedNamesAsync(upload, parent, cancellationToken),
            out var obstacle
        )
            ?? throw RequestException.Conflict(
                "base_missing",
                $"The stream is incremental from the snapshot with GUID {begin.BaseGuid}, and {obstacle}.",
                "Nothing was stored. Send a full backup: zfs-client backup-full."
            );
        var dataset = target.Snapshot.Dataset;
        if (receives.IsReceiving(dataset))
            throw ZfsFaults.Busy(dataset.Value);
        // A pending receive of an upload that was never resumed.
        if (!target.IsNew)
            await zfs.AbortReceiveAsync(dataset, cancellationToken);
        if (!uploads.SetTarget(upload, target.Snapshot))
            throw StreamAdmission.Dropped();
        return ZfsReceive.Start(
            zfs,
            target.Snapshot,
            0,
            target.IsNew ? ReceiveOptions.Of(begin.Type, upload.ClientId, upload.DatasetName) : [],
            settings.UploadIdleTimeout,
            time
        );
    }

    /// <summary>
    /// What an earlier receive got the END of may have become a snapshot since it was looked for last.
    /// </summary>
    /// <exception cref="RequestException">409: it has; the client asks where to resume, which commits it.</exception>
    private async Task DemandNoSnapshotAsync(UploadRecord upload, CancellationToken cancellationToken)
    {
        if (await SnapshotOfUpload.FindAsync(zfs, upload, cancellationToken) is not null)
            throw ZfsFaults.Interrupted();
    }

    /// <summary>
    /// Existing names, names that other uploads will create, and names that are being deleted, which must not be used
    /// for anything else until then.
    /// </summary>
    private async Task<IReadOnlySet<string>> ListUsedNamesAsync(
        UploadRecord upload,
        DatasetName parent,
        CancellationToken cancellationToken
    )
    {
        var used = new HashSet<string>(
            await ReceivedDatasets.ListNamesAsync(zfs, parent, cancellationToken),
            StringComparer.Ordinal
        );
        foreach (
            var target in uploads
                .ListForZfs()
                .Where(other => other.UploadId != upload.UploadId)
                .Select(other => other.ZfsSnapshot!)
        )
        {
            used.Add(target.Dataset.Value);
            used.Add(target.ToString());
        }

        used.UnionWith(deletions.List().Select(deletion => deletion.StorageKey));
        return used;
    }
}
