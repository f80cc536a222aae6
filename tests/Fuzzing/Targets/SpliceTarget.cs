using ZfsSnapshotManager.Fuzzing.Inputs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>Two streams: the second continues the valid start of the first, or is refused.</summary>
internal static class SpliceTarget
{
    public static bool Run(ReadOnlySpan<byte> input)
    {
        var source = new ByteSource(Limits.Shortened(input));
        var (first, second) = (Frames.Next(ref source), Frames.Next(ref source));
        var state = SendStreamRecovery
            .FindValidPrefixAsync(new MemoryStream(first), CancellationToken.None)
            .GetAwaiter()
            .GetResult()
            .State;
        var splice = Prepared(state);
        if (splice is null)
            return false;
        FuzzFinding.Unless(ResumeToken.Parse(splice.Token.ToString()) == splice.Token, "a splice's token is no token");

        var whole = Editing.Run(first.Length + second.Length, output =>
            new StreamSplice(state).WriteAsync(
                new MemoryStream(first),
                new MemoryStream(second),
                output,
                CancellationToken.None
            )
        );
        if (whole is null)
            return false;
        FuzzFinding.Unless(Verdict.Of(second).IsWhole, "a whole stream was made of a damaged second part");
        FuzzFinding.Unless(
            ResumeTarget.IsInOrder(first) && ResumeTarget.IsInOrder(second),
            "parts in another order were spliced"
        );
        FuzzFinding.Unless(
            whole.AsSpan().StartsWith(first.AsSpan(0, (int)state.StreamOffset)),
            "the first part was changed"
        );
        FuzzFinding.Unless(
            whole.AsSpan((int)state.StreamOffset..).SequenceEqual(Rest(splice, second)),
            "the rest differs without the first part"
        );
        return true;
    }

    public static StreamSplice? Prepared(ParserState state)
    {
        try
        {
            return new StreamSplice(state);
        }
        catch (StreamCombinationException refusal)
        {
            _ = Limits.Short(refusal);
            return null;
        }
    }

    public static byte[] Rest(StreamSplice splice, byte[] second)
    {
        using var rest = new MemoryStream();
        splice.WriteRestAsync(new MemoryStream(second), rest, CancellationToken.None).GetAwaiter().GetResult();
        return rest.ToArray();
    }
}
