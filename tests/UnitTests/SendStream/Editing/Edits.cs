using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Merging;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>Complete streams through writer, splice, resume and merge.</summary>
internal static class Edits
{
    /// <summary>
    /// Streams of single snapshots that are neither continuations nor redacted: those that can be resumed and merged.
    /// </summary>
    public static IEnumerable<RecordedStream> Single =>
        RecordedStream.Whole.Where(stream =>
            stream is { IsResumed: false, Kind: not "package" }
            && !((StreamFeatures)stream.Features).HasFlag(StreamFeatures.Redacted)
        );

    /// <summary>The state at every record boundary, from after BEGIN to before END.</summary>
    public static List<ParserState> Boundaries(byte[] stream)
    {
        var parser = new SendStreamParser();
        ReadOnlySpan<byte> input = stream;
        List<ParserState> states = [];
        while (!parser.IsComplete)
        {
            if (parser.Read(ref input, out _) == ParserEvent.EndOfRecord)
                states.Add(parser.State);
        }

        return states[..^1];
    }

    public static async Task<byte[]> MergeAsync(params byte[][] streams)
    {
        using var merged = new MemoryStream();
        await StreamMerge.MergeAsync(
            [.. streams.Select(stream => new MemoryStream(stream))],
            merged,
            TestContext.Current.CancellationToken
        );
        return merged.ToArray();
    }

    public static async Task<byte[]> SpliceAsync(ParserState first, byte[] second)
    {
        using var rest = new MemoryStream();
        await new StreamSplice(first).WriteRestAsync(
            new MemoryStream(second),
            rest,
            TestContext.Current.CancellationToken
        );
        return rest.ToArray();
    }

    /// <summary>
    /// The rest of a stream from a token on: for <c>zfs receive -s</c>, and exactly what <c>zfs send -t</c> would send.
    /// </summary>
    public static async Task<byte[]> RestAsync(ResumeToken token, byte[] whole)
    {
        using var rest = new MemoryStream();
        await new ReceiveResume(token).WriteAsync(new MemoryStream(whole), rest, TestContext.Current.CancellationToken);
        return rest.ToArray();
    }
}
