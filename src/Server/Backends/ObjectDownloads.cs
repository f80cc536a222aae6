using Microsoft.Net.Http.Headers;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>Sends the stored bytes of a backup as they are, complete or by range.</summary>
internal sealed partial class ObjectDownloads(
    BackupStore store,
    BackupLayouts layouts,
    DownloadSlots slots,
    ReadLeases leases,
    RequestEvents events,
    ILogger<ObjectDownloads> logger
)
{
    public async Task SendAsync(HttpContext context, SnapshotInfo backup)
    {
        var tag = new EntityTagHeaderValue($"\"{backup.PartsSha256}\"");
        var wanted = RangeRequest.Of(context.Request.GetTypedHeaders(), tag, backup.ReceivedAt, backup.SizeBytes);
        if (wanted.Count == 0)
        {
            Describe(context.Response, backup, tag, wanted);
            return;
        }

        try
        {
            await using var download = await OpenAsync(context, backup, wanted);
            Describe(context.Response, backup, tag, wanted);
            events.PublishRead(context, ServerEvents.BackupDownloaded, backup.SnapshotId);
            var client = context.GetClient().ClientId;
            await download.SendAsync(
                wanted.Count,
                () => leases.Renew(client, backup.SnapshotId),
                context.RequestAborted
            );
        }
        catch (StorageException e)
            when (e.Fault is StorageFault.Missing or StorageFault.Damaged or StorageFault.Unreadable)
        {
            layouts.Remove(backup); // the store may be fixed
            LogBroken(backup.SnapshotId, e.Message);
            throw;
        }
    }

    private static void Describe(
        HttpResponse response,
        SnapshotInfo backup,
        EntityTagHeaderValue tag,
        RangeRequest wanted
    )
    {
        response.StatusCode = wanted.Status;
        var headers = response.GetTypedHeaders();
        (headers.ETag, headers.LastModified) = (tag, backup.ReceivedAt);
        response.Headers.AcceptRanges = "bytes";
        if (wanted.Status == StatusCodes.Status416RangeNotSatisfiable)
            headers.ContentRange = new ContentRangeHeaderValue(backup.SizeBytes);
        if (wanted.Count == 0)
            return;
        if (wanted.Status == StatusCodes.Status206PartialContent)
            headers.ContentRange = new ContentRangeHeaderValue(
                wanted.First,
                wanted.First + wanted.Count - 1,
                backup.SizeBytes
            );
        headers.ContentLength = wanted.Count;
        headers.ContentType = new MediaTypeHeaderValue(
            CompressionFormats.TryParse(backup.Compression, out var format)
                ? format.ContentType()
                : CompressionFormat.None.ContentType()
        );
        var name = new ContentDispositionHeaderValue("attachment");
        name.SetHttpFileName(Path.GetFileName(backup.StorageKey));
        headers.ContentDisposition = name;
    }

    /// <summary>
    /// Reads the first part of the range before the response starts, so that a missing or damaged part is answered as
    /// an error.
    /// </summary>
    private async Task<StoredDownload> OpenAsync(HttpContext context, SnapshotInfo backup, RangeRequest wanted)
    {
        var content = await FindAsync(backup, wanted, context.RequestAborted);
        (content.Position, content.ReadAheadEnd) = (wanted.First, wanted.First + wanted.Count);
        var download = slots.Open(context, context.GetClient().ClientId, content);
        try
        {
            await download.PrepareAsync(context.RequestAborted);
            return download;
        }
        catch
        {
            await download.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// For a client that reads by ranges, the manifest and the sizes of objects are read once, not for each range.
    /// </summary>
    private async Task<BackupStream> FindAsync(
        SnapshotInfo backup,
        RangeRequest wanted,
        CancellationToken cancellationToken
    )
    {
        var layout = layouts.Find(backup);
        if (layout is null)
            layout = await layouts.GetAsync(backup, stop => ReadLayoutAsync(backup, stop), cancellationToken);
        else if (wanted.First == 0)
            await CheckSizesAsync(backup, layout, cancellationToken);
        if (layout is null)
            return await FindUncheckedAsync(backup, cancellationToken);
        return store.OpenRead(layout);
    }

    /// <summary>
    /// Readers by parts would not notice bytes after the last part; other tools would read a damaged object.
    /// </summary>
    private async Task CheckSizesAsync(SnapshotInfo backup, BackupLayout layout, CancellationToken cancellationToken)
    {
        foreach (var (key, size) in layout.Objects)
        {
            if (await SizeOfAsync(backup, key, cancellationToken) != size)
                throw WrongSize(backup);
        }
    }

    /// <returns>Null if the manifest is missing or unusable.</returns>
    private async Task<BackupLayout?> ReadLayoutAsync(SnapshotInfo backup, CancellationToken cancellationToken)
    {
        BackupLayout? layout = null;
        try
        {
            if (await store.ReadLayoutAsync(backup.StorageKey, cancellationToken) is not { } read)
                LogNoManifest(backup.StorageKey, "It is missing.");
            else if (read.Manifest.PartsSha256 != backup.PartsSha256 || read.Manifest.StoredBytes != backup.SizeBytes)
                LogNoManifest(backup.StorageKey, "It is not the one that was stored.");
            else
                layout = read.Layout;
        }
        catch (StorageException e)
            when (e.Fault
                    is StorageFault.Missing
                        or StorageFault.Damaged
                        or StorageFault.Unreadable
                        or StorageFault.Failed
            )
        {
            LogNoManifest(backup.StorageKey, e.Message);
        }

        if (layout is not null)
            await CheckSizesAsync(backup, layout, cancellationToken);
        return layout;
    }

    /// <summary>
    /// The objects may still exist, and may be restored. The client verifies them by the catalogue's digest.
    /// </summary>
    private async Task<BackupStream> FindUncheckedAsync(SnapshotInfo backup, CancellationToken cancellationToken)
    {
        List<StoredObject> objects = [];
        for (var left = backup.SizeBytes; left > 0; left -= objects[^1].Size)
        {
            var key = StoredObject.KeyOf(backup.StorageKey, objects.Count);
            long size;
            if (objects.Count == 0)
                size = await SizeOfAsync(backup, key, cancellationToken);
            else
                size = (await store.Objects.FindAsync(key, cancellationToken))?.Size ?? 0;
            if (size == 0 || size > left)
                throw WrongSize(backup);
            objects.Add(new StoredObject { Key = key, Size = size });
        }

        return store.OpenUnchecked(objects);
    }

    private async Task<long> SizeOfAsync(SnapshotInfo backup, string key, CancellationToken cancellationToken) =>
        (
            await store.Objects.FindAsync(key, cancellationToken)
            ?? throw new StorageException(
                StorageFault.Missing,
                $"The object {key} of {backup.SnapshotId} is no longer in the store."
            )
        ).Size;

    private static StorageException WrongSize(SnapshotInfo backup) =>
        new(StorageFault.Damaged, $"The stored object of {backup.SnapshotId} has the wrong size.");

    [LoggerMessage(LogLevel.Error, "{SnapshotId} is listed, but cannot be read: {Reason}")]
    private partial void LogBroken(string snapshotId, string reason);

    [LoggerMessage(
        LogLevel.Error,
        "The manifest of {StorageKey} cannot be used; its object is sent without it: {Reason}"
    )]
    private partial void LogNoManifest(string storageKey, string reason);
}
