namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>Finds how far a stream that was cut off, or is damaged, is good.</summary>
/// <param name="State">The state at the last record boundary up to which all is right; what follows is
/// worthless.</param>
/// <param name="Fault">Why the stream is not whole; null if it is.</param>
public sealed record StreamCut(ParserState State, SendStreamException? Fault)
{
    private const int SliceSize = 256 * 1024;

    /// <summary>Reads a stream as far as it is good.</summary>
    /// <param name="source">The stream, from its first byte.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static async Task<StreamCut> FindAsync(Stream source, CancellationToken cancellationToken)
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
            return new StreamCut(parser.State, null);
        }
        catch (SendStreamException fault)
        {
            return new StreamCut(last, fault);
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
