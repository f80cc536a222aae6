using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>What the backups of a run have in common.</summary>
internal sealed record BackupRun(
    ClientSettings Settings,
    ApiClient Server,
    Output Output,
    BackupOptions Options,
    TimeProvider Time
);
