using System.Text;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// Makes valid send streams, and invalid ones if a field is given explicitly. Offsets of fields are those inside the
/// 304 bytes that a record's type lays out.
/// </summary>
internal sealed class StreamBuilder
{
    public const ulong Guid = 0x1122334455667788;

    /// <summary>The start of a package's list of contents.</summary>
    private static byte[] Contents =>
        Packing.Xdr(
            ("tosnap", "one"),
            ("fss", new (string, object)[] { ("0x7", new (string, object)[] { ("name", "tank/data") }) })
        );

    private readonly List<byte[]> _records = [];
    private readonly PlainFletcher _sum = new();
    private ulong _guid;

    /// <summary>Every record with its payload, in order.</summary>
    public IReadOnlyList<byte[]> Records => _records;

    public byte[] ToArray() => [.. _records.SelectMany(record => record)];

    /// <summary>A small full stream with a record of every usual type.</summary>
    public static StreamBuilder Small() =>
        new StreamBuilder()
            .Begin()
            .FreeObjects(0, 1)
            .Object(1, bonus: [1, 2, 3, 4, 5])
            .Free(1, 512)
            .Spill(1, Noise(512, 1))
            .Write(1, 0, Noise(512, 2))
            .Object(2, bonus: [])
            .WriteEmbedded(2, 0, [9, 8, 7])
            .Write(3, 0, Noise(64, 3), compression: 15, logicalSize: 1024)
            .Free(3, ulong.MaxValue)
            .End();

    public static StreamBuilder SmallPackage() =>
        new StreamBuilder()
            .PackageBegin()
            .PackageEnd()
            .Begin(guid: 7)
            .Object(1, bonus: [])
            .Write(1, 0, Noise(512, 4))
            .End()
            .Begin(guid: 8, baseGuid: 7, name: "tank/data@next")
            .Write(1, 512, Noise(512, 5))
            .End()
            .PackageClose();

    /// <summary>A small raw stream: object ranges, raw bonus areas, encrypted blocks.</summary>
    public static StreamBuilder SmallRaw() =>
        new StreamBuilder()
            .Begin(
                features: StreamFeatures.Raw | StreamFeatures.Compressed,
                payload: Packing.Native(("crypt_keydata", new (string, object)[] { ("to_ivset_guid", 5UL) }))
            )
            .ObjectRange(32)
            .Object(33, bonus: Noise(320, 6), raw: true)
            .Write(33, 0, Noise(512, 7), compression: 2, logicalSize: 512)
            .End();

    public StreamBuilder Begin(
        ulong guid = Guid,
        ulong baseGuid = 0,
        string name = "tank/data@one",
        StreamFeatures features =
            StreamFeatures.SaSpill | StreamFeatures.EmbedData | StreamFeatures.Lz4 | StreamFeatures.Compressed,
        uint flags = 12,
        byte[]? payload = null,
        Action<byte[]>? change = null
    )
    {
        _guid = guid;
        _sum.Reset();
        var fields = new byte[304];
        Put(fields, 0, 0x2F5bacbacUL);
        Put(fields, 8, 1 | ((ulong)features << 2));
        Put(fields, 16, 1_700_000_000UL);
        Put(fields, 24, 2U);
        Put(fields, 28, flags);
        Put(fields, 32, guid);
        Put(fields, 40, baseGuid);
        Encoding.UTF8.GetBytes(name).CopyTo(fields, 48);
        change?.Invoke(fields);
        return Append(Header(0, (uint)(payload?.Length ?? 0), fields), payload ?? []);
    }

    public StreamBuilder PackageBegin(byte[]? payload = null) =>
        Begin(guid: 0, flags: 0, payload: payload ?? Contents, change: fields =>
        {
            Put(fields, 8, 2 | ((ulong)StreamFeatures.SaSpill << 2));
            Put(fields, 16, 0UL);
            Put(fields, 24, 0U);
        });

    public StreamBuilder PackageEnd()
    {
        var fields = new byte[304];
        _sum.Bytes.CopyTo(fields, 0);
        _records.Add(Header(5, 0, fields));
        return this;
    }

    public StreamBuilder PackageClose()
    {
        _records.Add(Header(5, 0, new byte[304]));
        return this;
    }

    public StreamBuilder Object(ulong number, byte[] bonus, bool raw = false, Action<byte[]>? change = null) =>
        Record(RecordType.Object, 32, Padded(bonus), fields =>
        {
            Put(fields, 0, number);
            Put(fields, 8, 19U);
            Put(fields, 12, 44U);
            Put(fields, 16, 512U);
            Put(fields, 20, (uint)bonus.Length);
            fields[26] = 1;
            Put(fields, 28, raw ? (uint)bonus.Length : 0U);
            fields[40] = (byte)(raw ? 17 : 0);
            fields[41] = (byte)(raw ? 1 : 0);
            fields[42] = (byte)(raw ? 1 : 0);
            change?.Invoke(fields);
        });

    public StreamBuilder FreeObjects(ulong first, ulong count) => Record(RecordType.FreeObjects, 16, [], fields =>
        {
            Put(fields, 0, first);
            Put(fields, 8, count);
        });

    public StreamBuilder Write(
        ulong number,
        ulong offset,
        byte[] payload,
        byte compression = 0,
        ulong logicalSize = 0,
        Action<byte[]>? change = null
    ) => Record(RecordType.Write, 32, payload, fields =>
        {
            Put(fields, 0, number);
            Put(fields, 8, 19U);
            Put(fields, 16, offset);
            Put(fields, 24, logicalSize == 0 ? (ulong)payload.Length : logicalSize);
            fields[42] = compression;
            Put(fields, 88, compression == 0 ? 0 : (ulong)payload.Length);
            change?.Invoke(fields);
        });

    public StreamBuilder Free(ulong number, ulong length, ulong offset = 512) =>
        Record(RecordType.Free, 24, [], fields =>
        {
            Put(fields, 0, number);
            Put(fields, 8, offset);
            Put(fields, 16, length);
        });

    public StreamBuilder Redact(ulong number, ulong offset, ulong length) => Record(RecordType.Redact, 24, [], fields =>
        {
            Put(fields, 0, number);
            Put(fields, 8, offset);
            Put(fields, 16, length);
        });

    public StreamBuilder WriteByRef(ulong number, ulong offset, ulong length) =>
        Record(RecordType.WriteByRef, 24, [], fields =>
        {
            Put(fields, 0, number);
            Put(fields, 8, offset);
            Put(fields, 16, length);
        });

    public StreamBuilder Spill(ulong number, byte[] payload, Action<byte[]>? change = null) =>
        Record(RecordType.Spill, 16, payload, fields =>
        {
            Put(fields, 0, number);
            Put(fields, 8, (ulong)payload.Length);
            change?.Invoke(fields);
        });

    public StreamBuilder WriteEmbedded(ulong number, ulong offset, byte[] payload, Action<byte[]>? change = null) =>
        Record(RecordType.WriteEmbedded, 24, Padded(payload), fields =>
        {
            Put(fields, 0, number);
            Put(fields, 8, offset);
            Put(fields, 16, 512UL);
            fields[32] = 15;
            Put(fields, 40, 512U);
            Put(fields, 44, (uint)payload.Length);
            change?.Invoke(fields);
        });

    public StreamBuilder ObjectRange(ulong first, ulong slots = 32) => Record(RecordType.ObjectRange, 16, [], fields =>
        {
            Put(fields, 0, first);
            Put(fields, 8, slots);
        });

    public StreamBuilder End(Action<byte[]>? change = null) => Record(RecordType.End, 32, [], fields =>
        {
            _sum.Bytes.CopyTo(fields, 0);
            change?.Invoke(fields);
        });

    /// <summary>Any record: fields are filled in, GUID and checksum added.</summary>
    public StreamBuilder Record(RecordType type, int guidOffset, byte[] payload, Action<byte[]> fill)
    {
        var fields = new byte[304];
        Put(fields, guidOffset, _guid);
        fill(fields);
        return Append(Header((uint)type, 0, fields), payload);
    }

    public static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public static void Put(byte[] fields, int offset, ulong value) =>
        BitConverter.GetBytes(value).CopyTo(fields, offset);

    public static void Put(byte[] fields, int offset, uint value) =>
        BitConverter.GetBytes(value).CopyTo(fields, offset);

    private StreamBuilder Append(byte[] header, byte[] payload)
    {
        _sum.Add(header.AsSpan(0, 280));
        if (header[0] != 0)
            _sum.Bytes.CopyTo(header, 280);
        _sum.Add(header.AsSpan(280));
        _sum.Add(payload.AsSpan(0, payload.Length & ~3));
        _records.Add([.. header, .. payload]);
        return this;
    }

    private static byte[] Header(uint type, uint payloadLength, byte[] fields) =>
        [.. BitConverter.GetBytes(type), .. BitConverter.GetBytes(payloadLength), .. fields];

    private static byte[] Padded(byte[] bytes) => [.. bytes, .. new byte[-bytes.Length & 7]];
}
