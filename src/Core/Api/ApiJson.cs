using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Core.Api;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip
)]
[JsonSerializable(typeof(ApiAnswer))]
[JsonSerializable(typeof(ApiError))]
[JsonSerializable(typeof(UploadRequest))]
[JsonSerializable(typeof(UploadAnswer))]
[JsonSerializable(typeof(UploadStateAnswer))]
[JsonSerializable(typeof(PartAnswer))]
[JsonSerializable(typeof(CompleteRequest))]
[JsonSerializable(typeof(UploadsAnswer))]
[JsonSerializable(typeof(SnapshotInfo))]
[JsonSerializable(typeof(SnapshotsAnswer))]
[JsonSerializable(typeof(StatusAnswer))]
[JsonSerializable(typeof(MachineInfo))]
[JsonSerializable(typeof(RotateRequest))]
[JsonSerializable(typeof(RotateAnswer))]
[JsonSerializable(typeof(RotationPolicyAnswer))]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(ReadyAnswer))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, EffectiveProperty>))]
public sealed partial class ApiJson : JsonSerializerContext;
