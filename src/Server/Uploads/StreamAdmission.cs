using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Decides whether a stream may be stored: by its BEGIN, before its data are read, and again at the commit.
/// </summary>
internal sealed class StreamAdmission(
    BackupCatalogue catalogue,
    UploadCatalogue uploads,
    PartCatalogue parts,
    ClientRegistry clients
)
{
    /// <exception cref="RequestException">It is of an unsupported kind, is not the one announced, has no base here, or
    /// is already stored.</exception>
    public void Check(UploadRecord upload, SnapshotStreamInfo begin)
    {
        if (begin.IsPackage)
            throw PackageRefused();
        StreamIdentity.Check(upload, begin);
        var from = begin.IsIncremental ? new SnapshotGuid(begin.BaseGuid) : (SnapshotGuid?)null;
        if (from is { } known)
        {
            uploads.SetBase(upload, known); // first, so that rotation cannot delete the base after the check
            CheckBase(upload.ClientId, known, begin.Features.Names(), upload.StorageType);
        }

        var guid = new SnapshotGuid(begin.SnapshotGuid);
        if (catalogue.Find(upload.ClientId, upload.DatasetName, guid, upload.IdentityBase(from)) is { } same)
            throw Exists(same.SnapshotId);
    }

    /// <summary>The same for a part: all parts of an upload must also be of one stream.</summary>
    /// <inheritdoc cref="Check"/>
    public void CheckPart(UploadRecord upload, SnapshotStreamInfo begin)
    {
        Check(upload, begin);
        if (parts.TrySetBegin(upload, begin))
            return;
        throw RequestException.Conflict(
            "parts_incomplete",
            "The part belongs to another stream than the parts that came before.",
            "Drop the upload and send the snapshot again."
        );
    }

    /// <summary>At the commit: the client may have been shut out since its request began.</summary>
    /// <exception cref="RequestException">401: it is disabled or no longer listed.</exception>
    public void RequireClient(string clientId) => clients.RequireEnabled(clientId);

    /// <param name="storageType">Where the incremental is stored: its base must be there, too.</param>
    /// <exception cref="RequestException">409: no backup here can be the base.</exception>
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
                ? "no backup here holds that snapshot"
                : $"what is stored of that snapshot does not fit: {obstacles[0]}";
        throw RequestException.Conflict(
            "base_missing",
            $"The stream is incremental from the snapshot with GUID {from}, and {why}.",
            "Nothing was stored. Send a full backup: zfs-client backup-full."
        );
    }

    /// <summary>The answer to a request whose upload was dropped while it was being received.</summary>
    public static RequestException Dropped() => RequestException.NotFound("The upload was dropped meanwhile.");

    public static RequestException Exists(string snapshotId) =>
        RequestException.Conflict("snapshot_exists", $"This snapshot is already stored as {snapshotId}.");

    public static RequestException PackageRefused() =>
        new(
            StatusCodes.Status422UnprocessableEntity,
            "stream_is_package",
            "The stream is a replication package (zfs send -R or -p) of several streams.",
            "Nothing was stored. Send each snapshot separately, without -R and -p."
        );
}
