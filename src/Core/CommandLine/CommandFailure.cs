using System.Text.Json;
using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>Why a command, or its work on one dataset, failed, as it is printed with <c>--json</c>.</summary>
public sealed record CommandFailure
{
    /// <summary>The dataset that failed; left out if it is not one of several.</summary>
    public string? Dataset { get; init; }

    public required string Message { get; init; }

    /// <summary>The server's error code, or the word for the exit code.</summary>
    public required string Code { get; init; }

    /// <summary>What to do; left out if nothing is known.</summary>
    public string? Remedy { get; init; }

    /// <param name="exitCode">The exit code that the failure has alone.</param>
    public static string CodeOf(Exception? e, ExitCode exitCode) =>
        (e as ApiException)?.Code ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(exitCode.ToString());
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(CommandFailure))]
[JsonSerializable(typeof(LeftOutDataset))]
internal sealed partial class CommandFailureJson : JsonSerializerContext;
