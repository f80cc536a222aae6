using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>The fields of every answer; docs/http-api.md describes each message.</summary>
public record ApiAnswer
{
    [JsonPropertyOrder(-2)]
    public required bool Success { get; init; }

    [JsonPropertyOrder(-1)]
    public required string Message { get; init; }
}

/// <summary>An answer with the status of an error.</summary>
public sealed record ApiError : ApiAnswer
{
    /// <summary>The HTTP status of the answer.</summary>
    public int Status { get; init; }

    /// <summary>The stable error code, for scripts.</summary>
    public required string Code { get; init; }

    public string? Remedy { get; init; }
}
