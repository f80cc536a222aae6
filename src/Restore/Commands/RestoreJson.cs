using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.Restore.Mounting;
using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.Restore.Streams;

namespace ZfsSnapshotManager.Restore.Commands;

internal sealed record SaveResult
{
    public required string File { get; init; }

    public required SnapshotInfo Backup { get; init; }

    /// <summary>Backups that must be received before it, in order; left out if one of them is missing.</summary>
    public required IReadOnlyList<string>? Needs { get; init; }
}

/// <summary>A stream that a command wrote to a file.</summary>
internal sealed record StreamFileResult
{
    public required string File { get; init; }

    public required long StreamBytes { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(SnapshotInfo))]
[JsonSerializable(typeof(RestoreResult))]
[JsonSerializable(typeof(SaveResult))]
[JsonSerializable(typeof(MountResult))]
[JsonSerializable(typeof(VerifiedBackup))]
[JsonSerializable(typeof(StreamReport))]
[JsonSerializable(typeof(StreamFileResult))]
[JsonSerializable(typeof(TokenInfo))]
internal sealed partial class RestoreJson : JsonSerializerContext;
