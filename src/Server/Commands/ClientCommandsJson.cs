using System.Text.Json.Serialization;
using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.Server.Commands;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(AddedClient))]
[JsonSerializable(typeof(ChangedClient))]
[JsonSerializable(typeof(RotatedKey))]
[JsonSerializable(typeof(RemovedClient))]
[JsonSerializable(typeof(ListedClient))]
internal sealed partial class ClientCommandsJson : JsonSerializerContext;
