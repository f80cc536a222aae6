using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>The manifest of a backup, as the server has it.</summary>
/// <param name="Header">All of it but the parts.</param>
/// <param name="Parts">Its parts; none for a backup in the server's ZFS.</param>
internal sealed record DownloadedManifest(Manifest Header, PartTable Parts);
