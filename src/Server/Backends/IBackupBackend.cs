using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>
/// One way of keeping committed backups. <c>IUploadBackend</c> is how they get there: receiving needs quota and
/// rotation, and rotation needs this one.
/// </summary>
internal interface IBackupBackend
{
    /// <summary>Answers a download.</summary>
    Task SendAsync(HttpContext context, SnapshotInfo backup);

    /// <summary>Reads the manifest of a backup as it is stored.</summary>
    Task<byte[]> ReadManifestAsync(SnapshotInfo backup, CancellationToken cancellationToken);

    /// <exception cref="System.Text.Json.JsonException">It is not a valid manifest.</exception>
    Manifest ParseManifest(byte[] json);

    /// <summary>Deletes what is stored of a backup; what no longer exists counts as deleted.</summary>
    /// <exception cref="Core.OperationException">It cannot be deleted now.</exception>
    Task DeleteAsync(Deletion deletion, CancellationToken cancellationToken);
}
