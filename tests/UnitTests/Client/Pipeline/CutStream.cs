using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Client.Pipeline;

/// <summary>A stream that was cut into blocks.</summary>
internal sealed class CutStream
{
    private readonly List<byte[]> _blocks = [];
    private readonly List<ParserState> _ends = [];

    public IReadOnlyList<byte[]> Blocks => _blocks;

    public IReadOnlyList<ParserState> Ends => _ends;

    public byte[] Joined => [.. _blocks.SelectMany(block => block)];

    /// <summary>The largest number of bytes of a block that were in a buffer at once.</summary>
    public int LargestBuffer { get; private set; }

    /// <param name="source">Gives the stream.</param>
    /// <param name="start">Where it begins.</param>
    public static CutStream Of(Stream source, ParserState? start = null)
    {
        var cut = new CutStream();
        using var buffers = new BlockBuffers(3, BlockCutter.BufferSize);
        var end = new BlockCutter(source, start ?? ParserState.Start, buffers, cut.Add, _ => { }).Run(
            CancellationToken.None
        );
        Assert.Equal(end, cut._ends.LastOrDefault() ?? start);
        return cut;
    }

    /// <summary>A stream with records of the sizes given, in one object.</summary>
    public static byte[] WithRecordsOf(params int[] sizes)
    {
        var builder = new StreamBuilder()
            .Begin(features: StreamFeatures.SaSpill | StreamFeatures.LargeBlocks)
            .Object(1, bonus: []);
        foreach (var (index, size) in sizes.Index())
            builder.Write(1, (ulong)index << 24, StreamBuilder.Noise(size, index + 1));

        return builder.End().ToArray();
    }

    private void Add(CutBlock block)
    {
        LargestBuffer = Math.Max(LargestBuffer, block.Buffer.Array.Length);
        _blocks.Add(block.Buffer.Array[..block.Length]);
        _ends.Add(block.End);
        block.Buffer.Dispose();
    }
}
