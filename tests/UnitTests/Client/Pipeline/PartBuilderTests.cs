using System.Security.Cryptography;
using System.Threading.Channels;
using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.Client.Pipeline;

/// <summary>Blocks through compressors into parts, as they are sent.</summary>
public sealed class PartBuilderTests
{
    private const int PartSize = 2 << 20;

    private static readonly byte[] Stream = CutStream.WithRecordsOf([.. Enumerable.Repeat(100 * 1024, 120)]);

    [Theory]
    [InlineData(CompressionFormat.None)]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Zstd)]
    public async Task Each_part_has_complete_records_and_its_digest(CompressionFormat format)
    {
        var parts = await BuildAsync(format, TransferStart.Beginning, Stream);

        var (number, offset, state) = (1, 0L, ParserState.Start);
        foreach (var part in parts)
        {
            var stored = BytesOf(part);
            Assert.Equal(number++, part.Number);
            Assert.Equal(offset, part.Offset);
            Assert.Equal(state, part.Start);
            Assert.Equal(SHA256.HashData(stored), part.Sha256);
            using var reader = new StoredBytesReader(new MemoryStream(stored));
            var (end, _) = await PartDecoder.DecodeAsync(
                reader,
                format,
                part.Start,
                DecodeLimits.OfFormats,
                _ => { },
                TestContext.Current.CancellationToken
            );
            Assert.Equal(part.End, end);
            (offset, state) = (offset + part.Size, part.End);
        }

        Assert.All(parts.SkipLast(1), part => Assert.InRange(part.Size, PartSize, PartSize + BlockCutter.BufferSize));
        Assert.True(parts.Count > 4);
        Assert.Equal(StreamPhase.End, state.Phase);
    }

    [Fact]
    public async Task Parts_after_an_interruption_are_those_that_were_missing()
    {
        var whole = await BuildAsync(CompressionFormat.Gzip, TransferStart.Beginning, Stream);
        var from = new TransferStart(3, whole[2].Offset, whole[2].Start);

        var rest = await BuildAsync(CompressionFormat.Gzip, from, Stream[(int)from.State.StreamOffset..]);

        Assert.Equal(
            whole.Skip(2).Select(part => (part.Number, part.Offset, Convert.ToHexString(part.Sha256))),
            rest.Select(part => (part.Number, part.Offset, Convert.ToHexString(part.Sha256)))
        );
    }

    private static byte[] BytesOf(UploadPart part) => [.. part.Slices(100_000).SelectMany(slice => slice.ToArray())];

    private static async Task<List<UploadPart>> BuildAsync(CompressionFormat format, TransferStart from, byte[] stream)
    {
        using var buffers = new BlockBuffers(100, BlockCutter.BufferSize);
        using var chunks = new PartChunks(1000);
        var threads = BlockWorkers.CountFor(format);
        using var workers = new BlockWorkers(format, level: null, threads);
        using var digest = new PartsDigest();
        using var builder = new PartBuilder(chunks, PartSize, from, digest);
        var blocks = Channel.CreateUnbounded<StoredBlock>();
        var parts = Channel.CreateUnbounded<UploadPart>();
        new BlockCutter(new MemoryStream(stream), from.State, buffers, Emit, _ => { }).Run(CancellationToken.None);
        blocks.Writer.Complete();
        var last = await builder.RunAsync(blocks.Reader, parts.Writer, TestContext.Current.CancellationToken);
        parts.Writer.Complete();
        var all = await parts
            .Reader.ReadAllAsync(TestContext.Current.CancellationToken)
            .ToListAsync(TestContext.Current.CancellationToken);
        if (last is not null)
            all.Add(last);
        Assert.Equal(all.Count, builder.Finished);
        Assert.Equal(
            Convert.ToHexStringLower(SHA256.HashData([.. all.SelectMany(part => part.Sha256)])),
            digest.ToHex()
        );
        return all;

        void Emit(CutBlock block)
        {
            var stored = new StoredBlock(
                block,
                threads > 0
                    ? new BlockBuffers(1, workers.MaxSize(BlockCutter.BufferSize)).Rent(1, CancellationToken.None)
                    : null
            );
            if (threads > 0)
                workers.Add(stored);
            else
                stored.StorePlain();
            blocks.Writer.TryWrite(stored);
        }
    }
}
