using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>The command line options of a backup.</summary>
/// <param name="Mode">Full, incremental, or whichever is possible.</param>
/// <param name="DryRun">True: nothing is changed.</param>
/// <param name="MayResume">Whether an interrupted upload is resumed first.</param>
/// <param name="Verbose">Whether details of the transfer are printed.</param>
/// <param name="Type">The class of the snapshot.</param>
/// <param name="TakesOver">Whether this machine replaces the one that the backups come from.</param>
internal sealed record BackupOptions(
    BackupMode Mode,
    bool DryRun,
    bool MayResume,
    bool Verbose,
    SnapshotType Type = SnapshotType.Manual,
    bool TakesOver = false
);
