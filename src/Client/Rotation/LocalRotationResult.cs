using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Rotation;

/// <summary>What a rotation of local snapshots did or would do.</summary>
internal sealed record LocalRotationResult
{
    [JsonPropertyOrder(-1)]
    public bool Success => FailedCount == 0 && Message is null;

    public required string Dataset { get; init; }

    /// <summary>Why nothing could be decided; null if it could. A failure of its own in JSON.</summary>
    [JsonIgnore]
    public string? Message { get; init; }

    /// <summary>What to do about that.</summary>
    [JsonIgnore]
    public string? Remedy { get; init; }

    [JsonIgnore]
    public ExitCode ExitCode { get; init; } = ExitCode.Zfs;

    public required bool DryRun { get; init; }

    public required RotationPolicy RotationPolicy { get; init; }

    public required bool ServerManaged { get; init; }

    /// <summary>How many snapshots of <c>backup</c> stay; the server's policy does not have them.</summary>
    public required int KeepManual { get; init; }

    public int DestroyedCount => DryRun ? 0 : Count("destroy");

    public int FailedCount => Count("failed");

    /// <summary>Newest first.</summary>
    public required IReadOnlyList<LocalRotationItem> Decisions { get; init; }

    /// <summary>Of the datasets of which nothing could be decided.</summary>
    public static IEnumerable<CommandFailure> FailuresOf(IEnumerable<LocalRotationResult> results) =>
        results
            .Where(result => result.Message is not null)
            .Select(result => new CommandFailure
            {
                Dataset = result.Dataset,
                Message = result.Message!,
                Code = CommandFailure.CodeOf(null, result.ExitCode),
                Remedy = result.Remedy,
            });

    public int Count(string action) => Decisions.Count(item => item.Action == action);
}
