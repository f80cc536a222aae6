using System.IO.Compression;
using System.IO.Hashing;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Compression.Gzip;
using ZfsSnapshotManager.UnitTests.Transfer;

namespace ZfsSnapshotManager.UnitTests.Compression;

public sealed class GzipHeaderReaderTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(0x01)]
    [InlineData(0x02)]
    [InlineData(0x04)]
    [InlineData(0x08)]
    [InlineData(0x10)]
    [InlineData(0x0a)]
    [InlineData(0x18)]
    [InlineData(0x1f)]
    public void It_ends_where_the_header_ends_however_it_is_sliced(int flags)
    {
        byte[] header = HeaderOf((byte)flags, extra: [1, 2, 3, 0, 7, 8, 9, 3, 4, 0, 0], name: 5, comment: 7);
        byte[] bytes = [.. header, 9, 9, 9];
        for (var first = 0; first <= bytes.Length; first++)
        {
            for (var piece = 1; piece < 4; piece++)
            {
                var reader = new GzipHeaderReader();
                var used = reader.Read(bytes.AsSpan(0, first));
                for (var at = used; !reader.IsDone; at = used)
                    used += reader.Read(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)));
                Assert.Equal(header.Length, used);
            }
        }
    }

    [Fact]
    public void An_extra_field_may_be_empty()
    {
        var reader = new GzipHeaderReader();
        byte[] header = HeaderOf(0x04, extra: [], name: 0, comment: 0);
        Assert.Equal(header.Length, reader.Read([.. header, 1]));
        Assert.True(reader.IsDone);
    }

    [Theory]
    [InlineData(new byte[] { 1 })]
    [InlineData(new byte[] { 1, 2, 3 })]
    [InlineData(new byte[] { 1, 2, 2, 0, 7 })]
    [InlineData(new byte[] { 1, 2, 1, 0, 7, 8 })]
    public void Extra_fields_that_do_not_fill_their_length_are_refused(byte[] extra)
    {
        var header = HeaderOf(0x04, extra, name: 0, comment: 0);
        Assert.Throws<InvalidDataException>(() => new GzipHeaderReader().Read(header));
    }

    [Fact]
    public void Anything_but_a_header_is_refused()
    {
        var right = HeaderOf(0x1f, extra: [1, 2, 1, 0, 7], name: 3, comment: 3);
        for (var at = 0; at < right.Length; at++)
        {
            var wrong = right.ToArray();
            wrong[at] ^= 0x40; // a flag that is reserved, a length, a character: the checksum covers all of it
            var reader = new GzipHeaderReader();
            try
            {
                reader.Read(wrong);
                Assert.False(reader.IsDone, $"byte {at} was changed, and nobody saw it");
            }
            catch (InvalidDataException)
            {
                // The correct checksum.
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(5_000)]
    [InlineData(70_000)]
    [InlineData(300_000)]
    public async Task A_member_with_a_name_of_any_length_is_decompressed(int name)
    {
        var bytes = Blocks.Mixed(100_000, 1);
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Optimal, leaveOpen: true))
            gzip.Write(bytes);
        byte[] member = [.. HeaderOf(0x08, extra: [], name, comment: 0), .. target.ToArray()[10..]];

        Assert.False(
            await Decompressing.IsDamagedAsync([.. member, .. member], CompressionFormat.Gzip, [.. bytes, .. bytes])
        );
    }

    private static byte[] HeaderOf(byte flags, byte[] extra, int name, int comment)
    {
        byte[] header =
        [
            0x1f,
            0x8b,
            8,
            flags,
            1,
            2,
            3,
            4,
            0,
            255,
            .. (flags & 0x04) != 0 ? [(byte)extra.Length, 0, .. extra] : Array.Empty<byte>(),
            .. (flags & 0x08) != 0 ? [.. Enumerable.Repeat((byte)'n', name), 0] : Array.Empty<byte>(),
            .. (flags & 0x10) != 0 ? [.. Enumerable.Repeat((byte)'c', comment), 0] : Array.Empty<byte>(),
        ];
        return (flags & 0x02) != 0 ? [.. header, .. BitConverter.GetBytes((ushort)Crc32.HashToUInt32(header))] : header;
    }
}
