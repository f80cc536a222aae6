using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>The result of verifying a stream: its facts or its fault.</summary>
/// <param name="Facts">The facts, if it is complete.</param>
/// <param name="Fault">Otherwise the fault and its offset; its message may depend on how much of the stream has
/// arrived.</param>
internal sealed record Verdict(StreamInfo? Facts, (SendStreamError Kind, long Record, long Offset)? Fault)
{
    public bool IsWhole => Facts is not null;

    public static Verdict Of(ReadOnlySpan<byte> stream) => OfSlices(stream, _ => int.MaxValue);

    /// <summary>The verdict on a stream that arrives in slices.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="lengthAt">Returns the length of the slice that begins at an offset.</param>
    public static Verdict OfSlices(ReadOnlySpan<byte> stream, Func<int, int> lengthAt)
    {
        var verifier = new SendStreamVerifier();
        try
        {
            for (var at = 0; at < stream.Length; )
            {
                var slice = stream[at..][..Math.Min(stream.Length - at, lengthAt(at))];
                verifier.Append(slice);
                at += slice.Length;
            }

            return new Verdict(verifier.Complete(), null);
        }
        catch (SendStreamException fault)
        {
            return Of(fault);
        }
    }

    public static Verdict Of(SendStreamException fault)
    {
        _ = Limits.Short(fault);
        return new Verdict(null, (fault.Error, fault.RecordIndex, fault.StreamOffset));
    }

    /// <summary>Whether both are the same verdict.</summary>
    public bool Agrees(Verdict other) => Fault == other.Fault && (Facts is null || Text(Facts) == Text(other.Facts!));

    public override string ToString() => Facts is null ? Fault.ToString()! : Text(Facts);

    private static string Text(StreamInfo facts) =>
        string.Join(
            ' ',
            [
                $"{facts.Kind} {facts.Length} {facts.RecordCount} {facts.PayloadBytes} {facts.LogicalBytes} "
                    + $"{facts.EndChecksum} {facts.Begin}",
                .. facts.Snapshots.Select(snapshot => snapshot.ToString()),
                .. facts.Records.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key}: {pair.Value}"),
            ]
        );
}
