using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace ZfsSnapshotManager.Server.Backends;

/// <summary>
/// Evaluates the conditions and the range of a GET by RFC 9110. ASP.NET Core's own range processing would copy every
/// byte twice more.
/// </summary>
/// <param name="Status">200, 206, 304, 412 or 416.</param>
/// <param name="First">The first byte.</param>
/// <param name="Count">The number of bytes; 0 if the status allows no content.</param>
internal readonly record struct RangeRequest(int Status, long First, long Count)
{
    /// <param name="tag">The strong entity tag of the content.</param>
    /// <param name="modified">When the content was created.</param>
    /// <param name="length">The length of the content in bytes.</param>
    public static RangeRequest Of(
        RequestHeaders headers,
        EntityTagHeaderValue tag,
        DateTimeOffset modified,
        long length
    )
    {
        modified = DateTimeOffset.FromUnixTimeSeconds(modified.ToUnixTimeSeconds()); // with the precision of the header
        if (FailsPrecondition(headers, tag, modified))
            return new(StatusCodes.Status412PreconditionFailed, 0, 0);
        if (IsKnown(headers, tag, modified))
            return new(StatusCodes.Status304NotModified, 0, 0);
        // Several ranges may be answered with the whole content (RFC 9110, 14.2).
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
