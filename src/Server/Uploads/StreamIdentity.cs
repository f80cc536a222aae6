using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Compares what a stream says of itself with what was announced. The stream is authoritative; a difference is refused.
/// </summary>
internal static class StreamIdentity
{
    /// <exception cref="RequestException">The stream is not the one announced, or of an unsupported kind.</exception>
    public static void Check(UploadRecord upload, SnapshotStreamInfo begin)
    {
        if (begin.IsResumed && !upload.AcceptsResumed)
            throw Mismatch("the stream is the continuation of an interrupted send and restores nothing by itself");
        if (begin.IsClone)
            throw Mismatch(
                "the stream creates a clone of another dataset's snapshot, which cannot be received on top of that "
                    + "dataset's chain; send the clone's first snapshot in full"
            );
        if (!SnapshotName.TryParse(begin.FullSnapshotName, out _, out var fault))
            throw Mismatch($"the stream's snapshot is named '{begin.FullSnapshotName}': {fault}");
        if (upload.SnapshotGuid is { } guid && guid.Value != begin.SnapshotGuid)
            throw Mismatch($"the stream holds the snapshot with GUID {begin.SnapshotGuid}, but {guid} was announced");
        if (upload.KindIsGiven && (upload.FromGuid?.Value ?? 0) != begin.BaseGuid)
            throw Mismatch(
                $"the stream starts from {Base(begin.BaseGuid)}, but {Base(upload.FromGuid?.Value ?? 0)} was announced"
            );
        if (upload.Raw is { } raw && raw != begin.IsRaw)
            throw Mismatch($"the stream is {(begin.IsRaw ? "raw" : "not raw")}, but the opposite was announced");
        if (upload.SnapshotName is { } name && name != begin.SnapshotName)
            throw Mismatch($"the stream's snapshot is named '{begin.SnapshotName}', but '{name}' was announced");
    }

    private static string Base(ulong guid) => guid == 0 ? "nothing (a full send)" : $"the snapshot with GUID {guid}";

    private static RequestException Mismatch(string what) =>
        new(
            StatusCodes.Status422UnprocessableEntity,
            "stream_mismatch",
            $"The stream is not the one announced: {what}.",
            "Nothing was stored. Announce the upload again with what the stream contains, or omit these fields."
        );
}
