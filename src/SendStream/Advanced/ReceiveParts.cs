using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.SendStream.Advanced;

/// <summary>
/// Selects, of a stream that is stored in parts of whole records, those that an interrupted <c>zfs receive -s</c> still
/// needs. Thread-safe: it holds no state.
/// </summary>
public static class ReceiveParts
{
    /// <summary>Selects the parts.</summary>
    /// <remarks>
    /// Selected are the first part, for its BEGIN; the part with the OBJECT that the token names, and the next one if
    /// the records between that OBJECT and its data continue there; in a raw stream the part with the OBJECT_RANGE of
    /// that object; and all parts from the token's position on.
    /// </remarks>
    /// <param name="count">Number of parts, at least 1.</param>
    /// <param name="after">Gives the parser's state after a part, which is counted from 0. It is called for few parts:
    /// the search is binary.</param>
    /// <param name="token">The property <c>receive_resume_token</c> of the dataset, parsed.</param>
    /// <returns>Ranges in the order of the stream, not adjacent to each other; the last one ends with the
    /// stream.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is below 1.</exception>
    public static IReadOnlyList<PartRange> Choose(int count, Func<int, ParserState> after, ResumeToken token)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentNullException.ThrowIfNull(after);
        ArgumentNullException.ThrowIfNull(token);
        var from = new ResumePoint(token.Object, token.Offset);
        var ofObject = First(count, index =>
            after(index).Position >= new RecordPosition(from.Object, RecordStage.Object, 0)
        );
        var beforeData = First(count, index =>
            after(index).Position >= new RecordPosition(from.Object, RecordStage.EarlySpill, 0)
        );
        var rest = First(count, index => after(index).Position >= from.Position);
        SortedSet<int> heads = [0, .. Enumerable.Range(ofObject, beforeData - ofObject + 1)];
        if (
            ofObject > 0
            && after(ofObject - 1).ObjectRange is { } range
            && from.Object - range < StreamLimits.DnodeSlots
        )
            _ = heads.Add(First(count, index => after(index).ObjectRange >= range));
        return Join(heads, new PartRange(rest, count - 1));
    }

    /// <summary>
    /// The first part for which a condition holds that holds for all parts after it, too; the last part if none.
    /// </summary>
    private static int First(int count, Func<int, bool> holds)
    {
        var (low, high) = (0, count - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (holds(middle))
                high = middle;
            else
                low = middle + 1;
        }

        return low;
    }

    private static List<PartRange> Join(SortedSet<int> heads, PartRange rest)
    {
        List<PartRange> ranges = [];
        foreach (
            var range in heads.Where(head => head < rest.First).Select(head => new PartRange(head, head)).Append(rest)
        )
        {
            if (ranges is [.., var last] && last.Last + 1 == range.First)
                ranges[^1] = last with { Last = range.Last };
            else
                ranges.Add(range);
        }

        return ranges;
    }
}
