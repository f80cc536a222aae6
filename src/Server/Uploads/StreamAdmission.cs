using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Whether a stream may be stored: told by its BEGIN, before its data are taken, and again at the commit.
/// </summary>
internal sealed class StreamAdmission(BackupCatalogue catalogue, UploadCatalogue uploads)
{
    /// <exception cref="RequestException">It is of a kind that is not kept, not the one announced, has no base here, or
    /// is stored already.</exception>
    public void Check(UploadRecord upload, SnapshotStreamInfo begin)
    {
        if (begin.IsPackage)
            throw PackageRefused();
        StreamIdentity.Check(upload, begin);
        var from = begin.IsIncremental ? new SnapshotGuid(begin.BaseGuid) : (SnapshotGuid?)null;
        if (from is { } known)
        {
            uploads.SetBase(upload.UploadId, known); // first: what is there when it is looked for then stays
            CheckBase(upload.ClientId, known, begin.Features.Names(), upload.StorageType);
        }

        if (
            catalogue.Find(
                upload.ClientId,
                upload.DatasetName,
                new SnapshotGuid(begin.SnapshotGuid),
                upload.IsLocal ? null : from
            ) is
            { } same
        )
            throw Exists(same.SnapshotId);
    }

    /// <param name="storageType">Where the incremental goes: its base lies there, too.</param>
    /// <exception cref="RequestException">No backup here can be the base.</exception>
    public void CheckBase(string clientId, SnapshotGuid from, IReadOnlyList<string> features, string storageType)
    {
        var obstacles = catalogue
            .FindBases(clientId, from, storageType)
            .Select(known => ChainLink.FindObstacle(known, features))
            .ToList();
        if (obstacles.Contains(null))
            return;
        var why =
            obstacles.Count == 0
                ? "no backup here holds that one"
                : $"what is here of that one does not fit: {obstacles[0]}";
        throw RequestException.Conflict(
            "base_missing",
            $"The stream is incremental from the snapshot with GUID {from}, and {why}.",
            "Nothing was stored. Send a full backup: zfs-client backup-full."
        );
    }

    public static RequestException Exists(string snapshotId) =>
        RequestException.Conflict("snapshot_exists", $"This snapshot is already stored as {snapshotId}.");

    public static RequestException PackageRefused() =>
        new(
            StatusCodes.Status422UnprocessableEntity,
            "stream_is_package",
            "The stream is a replication package (zfs send -R or -p) of several streams.",
            "Nothing was stored. Send each snapshot by itself, without -R and -p."
        );
}
