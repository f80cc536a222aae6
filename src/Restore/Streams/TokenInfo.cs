using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>What <c>stream resume-token</c> shows.</summary>
internal sealed record TokenInfo
{
    public required string Token { get; init; }

    public required string Snapshot { get; init; }

    public required SnapshotGuid Guid { get; init; }

    public required SnapshotGuid? FromGuid { get; init; }

    /// <summary>Object at which the send resumes; 0: from the start.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString)]
    public required ulong Object { get; init; }

    /// <summary>Offset in that object, in bytes.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString)]
    public required ulong Offset { get; init; }

    /// <summary>Bytes of the stream that were received when the token was made.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString)]
    public required ulong Bytes { get; init; }

    /// <summary>The options of <c>zfs send</c> that the token repeats, such as <c>-L</c>.</summary>
    public required IReadOnlyList<string> SendOptions { get; init; }

    /// <summary>Of a truncated stream: how many of its bytes are valid.</summary>
    public long? GoodBytes { get; init; }

    /// <summary>Of a truncated stream: why the rest is not valid.</summary>
    public string? Fault { get; init; }

    public static TokenInfo From(ResumeToken token, ValidPrefix? prefix = null) =>
        new()
        {
            Token = token.ToString(),
            Snapshot = token.FullSnapshotName,
            Guid = new SnapshotGuid(token.SnapshotGuid),
            FromGuid = token.BaseGuid is { } from ? new SnapshotGuid(from) : null,
            Object = token.Object,
            Offset = token.Offset,
            Bytes = token.Bytes,
            SendOptions = [.. Options(token)],
            GoodBytes = prefix?.State.StreamOffset,
            Fault = prefix?.Failure?.Message,
        };

    private static IEnumerable<string> Options(ResumeToken token)
    {
        if (token.LargeBlocks)
            yield return "-L";
        if (token.Embedded)
            yield return "-e";
        if (token.Compressed)
            yield return "-c";
        if (token.Raw)
            yield return "-w";
    }
}
