using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>What a backup of several datasets did, or would do.</summary>
internal sealed record BackupSetResult
{
    public bool Success => Failures.Count == 0;

    public required bool DryRun { get; init; }

    /// <summary>One for each dataset that was or would be backed up.</summary>
    public required IReadOnlyList<BackupResult> Results { get; init; }

    /// <summary>Datasets that were not backed up.</summary>
    public required IReadOnlyList<DatasetFailure> Failures { get; init; }

    public ExitCode ExitCode => Failures.Count == 0 ? ExitCode.Success : Failures[0].ExitCode;
}
