namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>Finds the valid part of a stream that was cut off or damaged. Thread-safe: it holds no state.</summary>
public static class SendStreamRecovery
{
    private const int SliceSize = 256 * 1024;

    /// <summary>
    /// Reads a stream up to its first fault. A damaged or short stream is a result here, not an exception.
    /// </summary>
    /// <param name="source">The stream, from its first byte; it stays open.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <returns>The state at the last valid record boundary, from which <see cref="StreamSplice"/> continues.</returns>
    /// <exception cref="IOException">Reading <paramref name="source"/> failed.</exception>
    public static async Task<ValidPrefix> FindValidPrefixAsync(
        Stream source,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(source);
        var parser = new SendStreamParser();
        var last = parser.State;
        var slice = new byte[SliceSize];
        try
        {
            int count;
            while ((count = await source.ReadAsync(slice, cancellationToken).ConfigureAwait(false)) > 0)
                Advance(parser, slice.AsSpan(0, count), ref last);
            parser.EnsureComplete();
            return new ValidPrefix(parser.State, null);
        }
        catch (SendStreamException failure)
        {
            return new ValidPrefix(last, failure);
        }
    }

    private static void Advance(SendStreamParser parser, ReadOnlySpan<byte> input, ref ParserState last)
    {
        while (true)
        {
            switch (parser.Read(ref input, out _))
            {
                case ParserEvent.EndOfRecord:
                    last = parser.State;
                    break;
                case ParserEvent.NeedMoreInput or ParserEvent.EndOfStream:
                    return;
                default:
                    break;
            }
        }
    }
}
