using System.Buffers;
using ZfsSnapshotManager.Fuzzing.Inputs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>
/// A stream through verifier, reader, parser and writer: all agree, whatever the slices; a stream that was read is
/// written back byte for byte; a parser that is resumed at the last valid boundary has the same result as the first
/// one.
/// </summary>
internal static class StreamTarget
{
    /// <summary>The input is the stream.</summary>
    public static bool Run(ReadOnlySpan<byte> input) => Check(Limits.Shortened(input).ToArray());

    /// <summary>The input is a program that makes the stream.</summary>
    public static bool RunRecords(ReadOnlySpan<byte> input) => Check(StreamProgram.Build(Limits.Shortened(input)));

    private static bool Check(byte[] stream)
    {
        var verdict = Limits.Bounded(stream.Length, () => Verdict.Of(stream));
        Same(verdict, Verdict.OfSlices(stream, at => 1 + (at * 7919 % 613)), "in slices");
        Same(
            verdict,
            Limits.Bounded(stream.Length, () => OfReader(stream, verdict.Facts), Limits.Buffers),
            "read by records"
        );
        Same(verdict, Limits.Bounded(stream.Length, () => OfResumed(stream, verdict), Limits.Buffers), "resumed");
        if (verdict.IsWhole)
            FuzzFinding.Unless(
                Rewritten(stream).AsSpan().SequenceEqual(stream),
                "what is read is not written back byte for byte"
            );
        return verdict.IsWhole;
    }

    private static void Same(Verdict whole, Verdict other, string how) =>
        FuzzFinding.Unless(whole.Agrees(other), $"the stream is {whole} as a whole, {how} {other}");

    /// <summary>The facts are those given, if the reader counts the same.</summary>
    private static Verdict OfReader(byte[] stream, StreamInfo? facts)
    {
        try
        {
            using var reader = new SendStreamReader(new MemoryStream(stream));
            var payload = 0L;
            while (reader.ReadRecord())
            {
                while (reader.ReadPayload() is { IsEmpty: false } slice)
                    payload += slice.Length;
            }

            FuzzFinding.Unless(facts is not null, "the reader takes what the verifier refuses");
            FuzzFinding.Unless(
                (facts!.RecordCount, facts.PayloadBytes, facts.Length)
                    == (reader.Parser.RecordCount, payload, reader.Parser.StreamOffset),
                "reader and verifier count differently"
            );
            return new Verdict(facts, null);
        }
        catch (SendStreamException fault)
        {
            return Verdict.Of(fault);
        }
    }

    private static Verdict OfResumed(byte[] stream, Verdict verdict)
    {
        var found = SendStreamRecovery.FindValidPrefixAsync(new MemoryStream(stream), CancellationToken.None);
        FuzzFinding.Unless(found.IsCompleted, "work on memory waits");
        var (state, fault) = found.GetAwaiter().GetResult();
        FuzzFinding.Unless((fault is null) == verdict.IsWhole, "recovery and verifier disagree");
        FuzzFinding.Unless(
            state.StreamOffset <= stream.Length,
            $"recovery finds {state.StreamOffset} bytes of {stream.Length} good"
        );
        try
        {
            using var reader = new SendStreamReader(
                new MemoryStream(stream[(int)state.StreamOffset..]),
                SendStreamParser.Resume(state)
            );
            while (reader.ReadRecord())
            {
                // the reader verifies
            }

            return new Verdict(verdict.Facts, null);
        }
        catch (SendStreamException again)
        {
            return Verdict.Of(again);
        }
    }

    private static byte[] Rewritten(byte[] stream)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new SendStreamWriter(output);
        var record = new EditableRecord();
        using var reader = new SendStreamReader(new MemoryStream(stream));
        while (reader.ReadRecord())
        {
            writer.WriteHeader(record.Load(reader.Current).Header);
            while (reader.ReadPayload() is { IsEmpty: false } slice)
                writer.WritePayload(slice.Span);
        }

        FuzzFinding.Unless(
            writer.IsComplete && writer.Length == stream.Length,
            "the writer sees no end of a whole stream"
        );
        return output.WrittenSpan.ToArray();
    }
}
