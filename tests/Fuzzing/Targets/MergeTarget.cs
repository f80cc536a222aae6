using ZfsSnapshotManager.Fuzzing.Inputs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Merging;
using ZfsSnapshotManager.SendStream.Records;
using ZfsSnapshotManager.UnitTests.SendStream.Editing;

namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>
/// One to four streams: they become one complete stream or are refused. A merged stream that is merged alone stays the
/// same, and receiving it has the same result as receiving the streams, as far as the model of <c>zfs receive</c>
/// supports their records.
/// </summary>
internal static class MergeTarget
{
    /// <summary>The most streams of an input.</summary>
    public const int Most = 4;

    public static bool Run(ReadOnlySpan<byte> input)
    {
        var source = new ByteSource(Limits.Shortened(input));
        List<byte[]> streams = [];
        do streams.Add(Frames.Next(ref source));
        while (streams.Count < Most && !source.IsEmpty);

        var merged = Merged([.. streams]);
        if (merged is null)
            return false;
        var verdicts = streams.Select(stream => Verdict.Of(stream)).ToArray();
        FuzzFinding.Unless(verdicts.All(verdict => verdict.IsWhole), "a whole stream was merged of a damaged one");
        var (first, last, facts) = (
            verdicts[0].Facts!.Begin,
            verdicts[^1].Facts!.Begin,
            Verdict.Of(merged).Facts!.Begin
        );
        FuzzFinding.Unless(
            (facts.BaseGuid, facts.SnapshotGuid) == (first.BaseGuid, last.SnapshotGuid),
            "the merged stream is of other snapshots"
        );
        FuzzFinding.Unless(
            Merged(merged).AsSpan().SequenceEqual(merged),
            "a merged stream, merged alone, does not stay as it is"
        );
        if (!first.IsIncremental && Received([.. streams]) is { } expected)
            FuzzFinding.Unless(
                Received(merged) is { } found && found == expected,
                $"what is received of the merged stream is something else; expected\n{expected}\nfound\n"
                    + (Received(merged) ?? "nothing: it is refused")
            );
        return true;
    }

    private static byte[]? Merged(params byte[][] streams) =>
        Editing.Run(streams.Sum(stream => stream.Length), output =>
            StreamMerge.MergeAsync(
                [.. streams.Select(stream => new MemoryStream(stream))],
                output,
                CancellationToken.None
            )
        );

    /// <summary>
    /// The state of a receiver of these streams; null if it would refuse them or the model does not support such
    /// records.
    /// </summary>
    private static string? Received(params byte[][] streams)
    {
        var receiver = new ModelReceiver();
        try
        {
            foreach (var stream in streams)
            {
                if (!IsModelled(stream, receiver.Objects))
                    return null;
                receiver.Receive(stream);
            }
        }
        catch (ModelRefusal)
        {
            return null;
        }

        return receiver.ToString();
    }

    /// <summary>
    /// The model supports neither raw streams, nor blocks that are split on receive, nor holes inside a block.
    /// </summary>
    private static bool IsModelled(byte[] stream, IReadOnlyDictionary<ulong, ModelObject> objects)
    {
        var blockSizes = objects.ToDictionary(known => known.Key, known => known.Value.BlockSize);
        var (slots, hasSpill) = (0UL, false); // of the last OBJECT
        using var reader = new SendStreamReader(new MemoryStream(stream));
        while (reader.ReadRecord())
        {
            var record = reader.Current;
            if (record.Type == RecordType.Object)
                (blockSizes[record.AsObject().Object], slots, hasSpill) = (
                    record.AsObject().BlockSize,
                    Math.Max(record.AsObject().DnodeSlots, (byte)1),
                    record.AsObject().HasSpill
                );
            var isModelled = record.Type switch
            {
                RecordType.Begin => (record.AsBegin().Features & (StreamFeatures.Raw | StreamFeatures.LargeBlocks))
                    == StreamFeatures.None,
                RecordType.Free => IsWhole(
                    record.AsFree().Offset,
                    record.AsFree().Length,
                    blockSizes.GetValueOrDefault(record.AsFree().Object)
                ),
                RecordType.Spill => IsPossible(
                    record.AsSpill(),
                    objects.GetValueOrDefault(record.AsSpill().Object),
                    slots,
                    hasSpill
                ),
                _ => true,
            };
            if (!isModelled)
                return false;
        }

        return true;
    }

    /// <summary>
    /// A sender marks only those spill blocks as unmodified that the receiver has, of objects that it does not create
    /// again and whose OBJECT says that they have one (dmu_send.c, piggyback_unmodified_spill and dump_dnode).
    /// </summary>
    private static bool IsPossible(SpillRecord record, ModelObject? old, ulong slots, bool hasSpill) =>
        !record.IsUnmodified
        || (hasSpill && old is not null && old.Slots == slots && (ulong?)old.Spill?.Length == record.StoredSize);

    /// <summary>Whether a range consists of complete blocks.</summary>
    private static bool IsWhole(ulong offset, ulong length, ulong size) =>
        size != 0 && offset % size == 0 && (length == ulong.MaxValue || length % size == 0);
}
