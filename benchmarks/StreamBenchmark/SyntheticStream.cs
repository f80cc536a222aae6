using System.Buffers.Binary;
using System.Text;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.StreamBenchmark;

/// <summary>
/// Makes a right full stream of records of one size; the layouts are those of OpenZFS include/sys/zfs_ioctl.h.
/// </summary>
internal static class SyntheticStream
{
    public const ulong Guid = 0x1122334455667788;
    private const int FieldsOffset = 8;
    private const int ChecksumOffset = RecordHeader.Size - Fletcher4.Size;

    /// <param name="payload">Bytes of each WRITE; 0: FREE records, which have none.</param>
    /// <param name="size">About how many bytes the stream shall have.</param>
    /// <param name="guid">The snapshot's.</param>
    /// <param name="from">The base's; 0: a full stream.</param>
    public static byte[] Make(int payload, int size, ulong guid = Guid, ulong from = 0)
    {
        var records = size / (RecordHeader.Size + payload);
        var stream = new byte[(records + 2) * RecordHeader.Size + records * payload];
        new Random(1).NextBytes(stream);
        var sum = Begin(stream, guid, from);
        var next = RecordHeader.Size;
        for (var i = 0; i < records; i++)
        {
            var record = stream.AsSpan(next, RecordHeader.Size + payload);
            sum = payload == 0 ? Free(record, sum, guid, (ulong)i) : Write(record, sum, guid, (ulong)i);
            next += record.Length;
        }

        End(stream.AsSpan(next), sum, guid);
        return stream;
    }

    /// <summary>Writes such a stream of any size; no two records are alike.</summary>
    public static void WriteTo(Stream output, int payload, long size)
    {
        var random = new Random(1);
        var record = new byte[RecordHeader.Size + payload];
        var sum = Begin(record, Guid, from: 0);
        output.Write(record, 0, RecordHeader.Size);
        for (var i = 0L; i < size / record.Length; i++)
        {
            random.NextBytes(record);
            sum = Write(record, sum, Guid, (ulong)i);
            output.Write(record);
        }

        End(record, sum, Guid);
        output.Write(record, 0, RecordHeader.Size);
    }

    private static Fletcher4 Begin(Span<byte> stream, ulong guid, ulong from)
    {
        var fields = Fields(stream, RecordType.Begin);
        Put(fields, 0, 0x2F5bacbac); // drr_magic
        Put(fields, 8, 1 | (4 << 2)); // drr_versioninfo: a substream, with the feature SA_SPILL
        Put(fields, 16, 1_700_000_000); // drr_creation_time
        Put(fields, 24, 2); // drr_type: a file system
        Put(fields, 32, guid);
        Put(fields, 40, from);
        Encoding.UTF8.GetBytes("tank/data@one").CopyTo(fields[48..]);
        return default(Fletcher4).Append(stream[..RecordHeader.Size]);
    }

    private static Fletcher4 Write(Span<byte> record, Fletcher4 sum, ulong guid, ulong index)
    {
        var length = (ulong)(record.Length - RecordHeader.Size);
        var fields = Fields(record, RecordType.Write);
        Put(fields, 0, 1); // drr_object
        Put(fields, 8, 19); // drr_type: the contents of a plain file
        Put(fields, 16, index * length); // drr_offset
        Put(fields, 24, length); // drr_logical_size
        Put(fields, 32, guid);
        return Seal(record, sum);
    }

    private static Fletcher4 Free(Span<byte> record, Fletcher4 sum, ulong guid, ulong index)
    {
        var fields = Fields(record, RecordType.Free);
        Put(fields, 0, 1); // drr_object
        Put(fields, 8, index * 512); // drr_offset
        Put(fields, 16, 512); // drr_length
        Put(fields, 24, guid);
        return Seal(record, sum);
    }

    private static void End(Span<byte> record, Fletcher4 sum, ulong guid)
    {
        var fields = Fields(record, RecordType.End);
        sum.WriteTo(fields);
        Put(fields, 32, guid);
        Seal(record, sum);
    }

    private static Span<byte> Fields(Span<byte> record, RecordType type)
    {
        record[..RecordHeader.Size].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(record, (uint)type);
        return record[FieldsOffset..];
    }

    private static void Put(Span<byte> fields, int offset, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(fields[offset..], value);

    /// <summary>Adds the checksum of all before it.</summary>
    private static Fletcher4 Seal(Span<byte> record, Fletcher4 sum)
    {
        sum = sum.Append(record[..ChecksumOffset]);
        sum.WriteTo(record[ChecksumOffset..]);
        return sum.Append(record[ChecksumOffset..]);
    }
}
