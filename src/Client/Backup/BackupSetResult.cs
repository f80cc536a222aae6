using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>What a backup of several datasets did, or would do.</summary>
internal sealed record BackupSetResult
{
    [JsonPropertyOrder(-1)]
    public bool Success => Failures.Count == 0;

    public required bool DryRun { get; init; }

    /// <summary>One for each dataset that was or would be backed up.</summary>
    public required IReadOnlyList<BackupResult> Results { get; init; }

    /// <summary>Datasets that were not backed up.</summary>
    public required IReadOnlyList<DatasetFailure> Failures { get; init; }

    [JsonIgnore]
    public ExitCode ExitCode => Failures.Count == 0 ? ExitCode.Success : Failures[0].ExitCode;
}

/// <summary>Why one of several datasets was not backed up.</summary>
internal sealed record DatasetFailure
{
    public required string Dataset { get; init; }

    public required string Message { get; init; }

    public string? Remedy { get; init; }

    [JsonIgnore]
    public ExitCode ExitCode { get; init; }

    public static DatasetFailure Of(DatasetName dataset, Exception e) =>
        new()
        {
            Dataset = dataset.Value,
            Message = e.Message,
            Remedy = (e as OperationException)?.Remedy,
            ExitCode = e is OperationException failure ? failure.ExitCode : ExitCode.Damaged,
        };
}
