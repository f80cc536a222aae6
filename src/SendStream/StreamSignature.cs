using System.Buffers.Binary;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Recognises a send stream by its first 16 bytes: type 0 (BEGIN) in either byte order, a payload length, and the magic
/// number 0x2F5bacbac, whose byte order is the sender's. Source: OpenZFS include/sys/zfs_ioctl.h, struct drr_begin,
/// DMU_BACKUP_MAGIC.
/// </summary>
internal static class StreamSignature
{
    private const int TypeLength = 4;

    /// <summary>
    /// Returns why the first bytes of a header do not begin a stream of this byte order; null as long as they may.
    /// </summary>
    public static RecordFault? Judge(ReadOnlySpan<byte> start)
    {
        Span<byte> magic = stackalloc byte[sizeof(ulong)];
        var arrived =
            start.Length > RecordHeader.FieldsOffset
                ? start[RecordHeader.FieldsOffset..Math.Min(start.Length, RecordHeader.FieldsOffset + magic.Length)]
                : [];
        var begins = !start[..Math.Min(start.Length, TypeLength)].ContainsAnyExcept((byte)0);

        BinaryPrimitives.WriteUInt64LittleEndian(magic, StreamLimits.Magic);
        if (begins && magic.StartsWith(arrived))
            return null;

        BinaryPrimitives.WriteUInt64BigEndian(magic, StreamLimits.Magic);
        if (!begins || !magic.StartsWith(arrived))
            return new(SendStreamError.NotASendStream, $"expected the BEGIN record of a ZFS send stream{Hint(start)}");
        return arrived.Length == magic.Length
            ? new(
                SendStreamError.BigEndian,
                "the stream comes from a big-endian machine; only little-endian ones are read"
            )
            : null;
    }

    private static string Hint(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]))
            return ", found gzip data: decompress it first";
        if (start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]))
            return ", found zstd data: decompress it first";
        return $", found bytes {Convert.ToHexStringLower(start[..Math.Min(start.Length, 16)])}";
    }
}
