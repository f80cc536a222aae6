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

    /// <summary>Opens the manifest of a backup as it is stored; it can be read more than once.</summary>
    Task<Stream> OpenManifestAsync(SnapshotInfo backup, CancellationToken cancellationToken);

    /// <summary>Reads a manifest to its end.</summary>
    /// <exception cref="System.Text.Json.JsonException">It is not a valid manifest.</exception>
    Task<Manifest> ReadManifestAsync(Stream json, CancellationToken cancellationToken);

    /// <summary>Deletes what is stored of a backup; what no longer exists counts as deleted.</summary>
    /// <exception cref="Core.OperationException">It cannot be deleted now.</exception>
    Task DeleteAsync(Deletion deletion, CancellationToken cancellationToken);
}
