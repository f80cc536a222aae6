using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.Restore.Streams;

namespace ZfsSnapshotManager.Restore;

internal sealed record RestoreResult
{
    public bool Success { get; init; } = true;

    public required string Dataset { get; init; }

    public required SnapshotInfo Backup { get; init; }

    /// <summary>The chain, in the order in which it was received.</summary>
    public required IReadOnlyList<string> Received { get; init; }

    /// <summary>Left out where it was not interrupted before.</summary>
    public ResumedRestore? Resumed { get; init; }

    /// <summary>Backups of the datasets below it that were restored, too; left out unless asked for.</summary>
    public IReadOnlyList<string>? Children { get; init; }

    /// <summary>Datasets below it that have no backup of this snapshot; left out unless asked for.</summary>
    public IReadOnlyList<string>? Missing { get; init; }

    /// <summary>What became of the datasets' properties; left out unless asked for.</summary>
    public IReadOnlyList<RestoredProperties>? Properties { get; init; }
}

internal sealed record SaveResult
{
    public bool Success { get; init; } = true;

    public required string File { get; init; }

    public required SnapshotInfo Backup { get; init; }

    /// <summary>What must be received before it, in order.</summary>
    public required IReadOnlyList<string> Needs { get; init; }
}

internal sealed record MountResult
{
    public bool Success { get; init; } = true;

    public required string Dataset { get; init; }

    public required string Mountpoint { get; init; }

    public required bool Writable { get; init; }
}

internal sealed record VerifiedBackup
{
    public required string SnapshotId { get; init; }

    public required bool Ok { get; init; }

    public long? Records { get; init; }

    public string? Fault { get; init; }
}

/// <summary>A stream that a command made, in a file.</summary>
internal sealed record MadeStream
{
    public bool Success { get; init; } = true;

    public required string File { get; init; }

    public required long StreamBytes { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(IReadOnlyList<SnapshotInfo>))]
[JsonSerializable(typeof(RestoreResult))]
[JsonSerializable(typeof(SaveResult))]
[JsonSerializable(typeof(MountResult))]
[JsonSerializable(typeof(List<VerifiedBackup>))]
[JsonSerializable(typeof(StreamReport))]
[JsonSerializable(typeof(MadeStream))]
[JsonSerializable(typeof(TokenInfo))]
internal sealed partial class RestoreJson : JsonSerializerContext;
