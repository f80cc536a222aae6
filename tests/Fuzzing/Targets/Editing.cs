using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>Operations that make one stream of others, and what holds for all of them.</summary>
internal static class Editing
{
    /// <summary>
    /// Makes a stream. It is complete or refused: output before a refusal is incomplete, and nothing is written before
    /// a refusal of the streams as such.
    /// </summary>
    /// <param name="length">Bytes of all inputs.</param>
    /// <param name="edit">Writes the stream.</param>
    /// <returns>The stream; null if it was refused.</returns>
    public static byte[]? Run(long length, Func<Stream, Task> edit)
    {
        // Records may be added, such as the FREEs between newer blocks, but not more than exist already.
        using var output = new Output(4096 + (4 * length));
        var refusal = Limits.Bounded(length, () => Refusal(edit(output)), Limits.Buffers);
        var written = output.ToArray();
        var verdict = Verdict.Of(written);
        FuzzFinding.Unless(
            refusal is null || !verdict.IsWhole,
            $"a whole stream is written, and then refused: {refusal?.Message}"
        );
        FuzzFinding.Unless(refusal is not null || verdict.IsWhole, $"the stream that is made is not whole: {verdict}");
        FuzzFinding.Unless(
            refusal is not StreamCombinationException || written.Length == 0,
            $"something is written before: {refusal?.Message}"
        );
        return refusal is null ? written : null;
    }

    /// <summary>The documented refusal, if it is one.</summary>
    private static Exception? Refusal(Task work)
    {
        FuzzFinding.Unless(work.IsCompleted, "work on memory waits");
        try
        {
            work.GetAwaiter().GetResult();
            return null;
        }
        catch (Exception refusal) when (refusal is SendStreamException or StreamCombinationException)
        {
            return Limits.Short(refusal);
        }
    }
}
