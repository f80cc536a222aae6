using System.Text.Json.Serialization;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Rotation;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Commands;

internal sealed record BookmarkRow
{
    public required string Bookmark { get; init; }

    public required SnapshotGuid Guid { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(BackupResult))]
[JsonSerializable(typeof(SnapshotResult))]
[JsonSerializable(typeof(LocalRotationResult))]
[JsonSerializable(typeof(BookmarkRow))]
internal sealed partial class ClientJson : JsonSerializerContext;
