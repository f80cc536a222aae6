using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>What verifying a backup found out.</summary>
internal enum VerifiedState
{
    /// <summary>It is complete and valid.</summary>
    Valid,

    /// <summary>It is damaged, or one that it depends on is missing.</summary>
    Damaged,

    /// <summary>It was deleted on the server after it was listed.</summary>
    Deleted,

    /// <summary>It could not be read.</summary>
    Failed,
}

/// <summary>One backup that was verified.</summary>
internal sealed record VerifiedBackup
{
    public required string SnapshotId { get; init; }

    /// <summary>False if it is damaged or could not be read.</summary>
    public required bool Ok { get; init; }

    /// <summary>True if it was deleted on the server after it was listed; otherwise null.</summary>
    public bool? Deleted { get; init; }

    public long? Records { get; init; }

    public string? Fault { get; init; }

    [JsonIgnore]
    public VerifiedState State { get; private init; }

    [JsonIgnore]
    public ExitCode ExitCode { get; private init; }

    public static VerifiedBackup Valid(SnapshotInfo backup, long records) =>
        new()
        {
            SnapshotId = backup.SnapshotId,
            Ok = true,
            Records = records,
        };

    public static VerifiedBackup Failed(SnapshotInfo backup, VerifiedState state, OperationException failure) =>
        new()
        {
            SnapshotId = backup.SnapshotId,
            Ok = state == VerifiedState.Deleted,
            Deleted = state == VerifiedState.Deleted ? true : null,
            Fault = state == VerifiedState.Deleted ? null : failure.Message,
            State = state,
            ExitCode = state == VerifiedState.Deleted ? ExitCode.Success : failure.ExitCode,
        };

    /// <summary>What is printed after the backup's id.</summary>
    public string Describe() =>
        State switch
        {
            VerifiedState.Valid => $"ok, {Records} records",
            VerifiedState.Damaged => $"DAMAGED: {Fault}",
            VerifiedState.Deleted => "deleted meanwhile",
            _ => $"NOT VERIFIED: {Fault}",
        };
}
