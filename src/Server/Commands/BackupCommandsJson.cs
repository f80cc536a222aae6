using System.Text.Json.Serialization;
using ZfsSnapshotManager.Server.Backups;

namespace ZfsSnapshotManager.Server.Commands;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(AdministeredBackup))]
[JsonSerializable(typeof(ShownBackup))]
internal sealed partial class BackupCommandsJson : JsonSerializerContext;
