using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.SendStream.Advanced;

/// <summary>
/// Which parts of a stream that is stored in parts of whole records an interrupted <c>zfs receive -s</c> still needs.
/// </summary>
public static class ReceiveParts
{
    /// <summary>
    /// The first part, for its BEGIN; the one with the OBJECT that the token names, or those, if what goes with it
    /// before its data is in the next; in a raw stream the one with its OBJECT_RANGE; and all from the one with the
    /// place where the token goes on.
    /// </summary>
    /// <param name="count">How many parts there are, at least one.</param>
    /// <param name="after">What a parser says after a part, which is counted from 0. Asked for few of them.</param>
    /// <param name="token">The property <c>receive_resume_token</c> of the dataset, parsed.</param>
    /// <returns>In the order of the stream, without gaps inside a range; the last one ends with the stream.</returns>
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
    /// The first part for which something holds that holds for all behind it, too; the last one in any case.
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
