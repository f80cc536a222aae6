using ZfsSnapshotManager.Fuzzing.Inputs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>
/// A stored stream and where its transfer was interrupted: the rest for a receive is made or refused, and the first
/// part and the rest are the stored stream. Then the same with a changed token.
/// </summary>
internal static class ResumeTarget
{
    public static bool Run(ReadOnlySpan<byte> input)
    {
        var source = new ByteSource(Limits.Shortened(input));
        var stored = Frames.Next(ref source);
        var first = stored[..(int)Math.Min((ulong)stored.Length, source.NextUInt16() * 4UL)];
        var state = SendStreamRecovery
            .FindValidPrefixAsync(new MemoryStream(first), CancellationToken.None)
            .GetAwaiter()
            .GetResult()
            .State;
        var splice = SpliceTarget.Prepared(state);
        if (splice is null)
            return false;
        var taken = CheckRest(splice, state, stored);
        return RestFor(Changed(splice.Token, ref source), stored) is not null || taken;
    }

    private static bool CheckRest(StreamSplice splice, ParserState state, byte[] stored)
    {
        var rest = splice.Token.Object == 0 ? stored : RestFor(splice.Token, stored);
        if (rest is null || !Verdict.Of(stored).IsWhole || !IsInOrder(stored))
            return false;
        FuzzFinding.Unless(
            SpliceTarget.Rest(splice, rest).AsSpan().SequenceEqual(stored.AsSpan((int)state.StreamOffset)),
            "a stream that was broken off and resumed is not what it was"
        );
        return true;
    }

    private static byte[]? RestFor(ResumeToken token, byte[] stored)
    {
        var rest = Editing.Run(stored.Length, output =>
            new ReceiveResume(token).WriteAsync(new MemoryStream(stored), output, CancellationToken.None)
        );
        FuzzFinding.Unless(rest is null || Verdict.Of(stored).IsWhole, "a whole rest was made of a damaged stream");
        FuzzFinding.Unless(rest is null || IsInOrder(stored), "a stream in another order was resumed");
        FuzzFinding.Unless(
            rest is null || Verdict.Of(rest).Facts!.Begin.ResumePoint == new ResumePoint(token.Object, token.Offset),
            "the rest begins elsewhere"
        );
        return rest;
    }

    private static ResumeToken Changed(ResumeToken token, ref ByteSource source)
    {
        var flags = source.NextByte();
        return token with
        {
            Object = source.NextNumber(1),
            Offset = source.NextNumber(512),
            Raw = token.Raw ^ ((flags & 1) != 0),
            Compressed = token.Compressed ^ ((flags & 2) != 0),
            SnapshotGuid = token.SnapshotGuid + (flags & 4UL),
        };
    }

    /// <summary>Whether all valid records of the stream ascend as those that ZFS sends.</summary>
    public static bool IsInOrder(byte[] stream)
    {
        using var reader = new SendStreamReader(new MemoryStream(stream));
        RecordPosition? last = null;
        try
        {
            while (reader.ReadRecord())
            {
                var position = reader.Parser.Position;
                if (position <= last) // false if one of them is null: there is none at a BEGIN
                    return false;
                last = position;
            }
        }
        catch (SendStreamException)
        {
            return true; // later records do not matter
        }

        return true;
    }
}
