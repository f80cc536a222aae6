using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace ZfsSnapshotManager.Server.Downloads;

/// <summary>
/// What a GET asks for by its conditions and its range, as RFC 9110 has it. ASP.NET's own answer to them would copy
/// every byte twice more.
/// </summary>
/// <param name="Status">200, 206, 304, 412 or 416.</param>
/// <param name="First">The first byte.</param>
/// <param name="Count">How many bytes; none where the status allows no content.</param>
internal readonly record struct RangeRequest(int Status, long First, long Count)
{
    /// <param name="tag">Of the content; strong.</param>
    /// <param name="modified">When the content came to be.</param>
    /// <param name="length">Of the content, in bytes.</param>
    public static RangeRequest Of(
        RequestHeaders headers,
        EntityTagHeaderValue tag,
        DateTimeOffset modified,
        long length
    )
    {
        modified = DateTimeOffset.FromUnixTimeSeconds(modified.ToUnixTimeSeconds()); // as exact as the header
        if (FailsPrecondition(headers, tag, modified))
            return new(StatusCodes.Status412PreconditionFailed, 0, 0);
        if (IsKnown(headers, tag, modified))
            return new(StatusCodes.Status304NotModified, 0, 0);
        // Of several ranges all is a right answer.
        if (
            headers.Range is not { Unit.Value: "bytes", Ranges: { Count: 1 } ranges }
            || !IsUnchanged(headers.IfRange, tag, modified)
        )
            return new(StatusCodes.Status200OK, 0, length);

        var range = ranges.Single();
        var first = range.From ?? Math.Max(0, length - range.To!.Value);
        var last = range.From is null || range.To is null ? length - 1 : Math.Min(range.To.Value, length - 1);
        return first > last
            ? new(StatusCodes.Status416RangeNotSatisfiable, 0, 0)
            : new(StatusCodes.Status206PartialContent, first, last - first + 1);
    }

    private static bool FailsPrecondition(RequestHeaders headers, EntityTagHeaderValue tag, DateTimeOffset modified) =>
        headers.IfMatch is { Count: > 0 } wanted
            ? !wanted.Any(one => one.Equals(EntityTagHeaderValue.Any) || one.Compare(tag, useStrongComparison: true))
            : headers.IfUnmodifiedSince is { } time && modified > time;

    private static bool IsKnown(RequestHeaders headers, EntityTagHeaderValue tag, DateTimeOffset modified) =>
        headers.IfNoneMatch is { Count: > 0 } known
            ? known.Any(one => one.Equals(EntityTagHeaderValue.Any) || one.Compare(tag, useStrongComparison: false))
            : headers.IfModifiedSince is { } time && modified <= time;

    private static bool IsUnchanged(
        RangeConditionHeaderValue? condition,
        EntityTagHeaderValue tag,
        DateTimeOffset modified
    ) =>
        condition switch
        {
            null => true,
            { EntityTag: { } known } => known.Compare(tag, useStrongComparison: true),
            _ => condition.LastModified is { } time && modified <= time,
        };
}
