using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>What the command line says of one backup.</summary>
/// <param name="Mode">Full, incremental, or what fits.</param>
/// <param name="DryRun">Nothing is changed.</param>
/// <param name="MayResume">Whether an interrupted upload goes on first.</param>
/// <param name="Verbose">Whether it tells how it works.</param>
/// <param name="Type">What the snapshot is made for.</param>
internal sealed record BackupOptions(
    BackupMode Mode,
    bool DryRun,
    bool MayResume,
    bool Verbose,
    SnapshotType Type = SnapshotType.Manual
);
