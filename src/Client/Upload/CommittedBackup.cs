using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>Whether the server has a backup of a snapshot.</summary>
/// <param name="IsKnown">False if the server did not answer.</param>
/// <param name="Backup">The backup, if the server has it.</param>
internal readonly record struct CommittedBackup(bool IsKnown, SnapshotInfo? Backup);
