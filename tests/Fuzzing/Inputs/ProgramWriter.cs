using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Fuzzing.Inputs;

/// <summary>
/// Turns streams into programs, for seeds: the headers without the contents of the payloads. A long block becomes a
/// short compressed one.
/// </summary>
internal static class ProgramWriter
{
    private const int ShortBlock = 64;
    private const int SmallestBlock = 512;
    private const int MostPatches = 8;
    private const int LongestPayload = 700;

    /// <summary>Makes a program of the first records of a stream and its END.</summary>
    public static byte[] Of(byte[] stream, int records)
    {
        List<byte> program = [];
        using var reader = new SendStreamReader(new MemoryStream(stream));
        while (reader.ReadRecord())
        {
            if (reader.Current.Type == RecordType.Begin)
                AddBegin(program, reader);
            else if (reader.Current.Type == RecordType.End || --records > 0)
                AddRecord(program, reader.Current, reader.Parser.Snapshot?.IsRaw ?? false);
        }

        return [.. program];
    }

    private static void AddBegin(List<byte> program, SendStreamReader reader)
    {
        var begin = reader.Current.AsBegin();
        program.Add((byte)RecordType.Begin);
        ByteSource.Put(program, begin.SnapshotGuid, 1);
        ByteSource.Put(program, begin.BaseGuid, 1);
        var features = begin.Features;
        var mask = BeginInstruction
            .Features.Select((feature, i) => (features & feature) != StreamFeatures.None ? 1 << i : 0)
            .Sum();
        var kind = begin.HeaderType == 2 ? 2 : (int)begin.DatasetType - 2;
        program.AddRange([(byte)(begin.Flags ^ BeginInstruction.UsualFlags), (byte)mask, (byte)kind]);
        List<byte> payload = [];
        while (reader.ReadPayload() is { IsEmpty: false } slice)
            payload.AddRange(slice.Span);
        AddPayload(program, reader.Parser, payload);
    }

    private static void AddPayload(List<byte> program, SendStreamParser parser, List<byte> payload)
    {
        var keys = parser.BeginPayload?.GetList("crypt_keydata");
        var from = parser.Begin?.ResumePoint;
        if (keys is null && from is null)
        {
            if (payload.Count is 0 or > LongestPayload)
                program.Add((byte)BeginInstruction.Payload.None);
            else
                program.AddRange([
                    (byte)BeginInstruction.Payload.Bytes,
                    .. BitConverter.GetBytes((ushort)payload.Count),
                    .. payload,
                ]);
            return;
        }

        program.Add(
            (byte)(
                keys is null ? BeginInstruction.Payload.ResumePoint
                : from is null ? BeginInstruction.Payload.Keys
                : BeginInstruction.Payload.KeysAndResumePoint
            )
        );
        foreach (var name in keys is null ? [] : (string[])["DSL_CRYPTO_GUID", "from_ivset_guid", "to_ivset_guid"])
            ByteSource.Put(program, keys!.GetUInt64(name) ?? 0, 1);
        if (from is { } point)
        {
            ByteSource.Put(program, point.Object, 1);
            ByteSource.Put(program, point.Offset, 512);
        }
    }

    private static void AddRecord(List<byte> program, RecordHeader original, bool raw)
    {
        var header = Shortened(original);
        var type = original.Type;
        var fields = RecordLayout.FieldsOf(type);
        Span<ulong> values = stackalloc ulong[fields.Count];
        program.Add((byte)type);
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = RecordLayout.Get(header, fields[i]);
            ByteSource.Put(program, values[i], fields[i].Unit);
        }

        Span<byte> made = stackalloc byte[RecordHeader.Size];
        RecordLayout.Make(made, type, values, original.SnapshotGuid, raw);
        AddPatches(program, made, header, type);
    }

    /// <summary>The header, of a block of at most <see cref="ShortBlock"/> bytes.</summary>
    private static byte[] Shortened(RecordHeader original)
    {
        var header = original.Raw.ToArray();
        var fields = header.AsSpan(RecordLayout.FieldsOffset);
        if (original.Type == RecordType.Write && original.PayloadLength > ShortBlock)
        {
            RecordLayout.Put(fields, new(88, 8), ShortBlock);
            var compression = original.AsWrite().CompressionType;
            fields[42] = (byte)(compression == ZioCompression.Inherit ? ZioCompression.Lz4 : compression);
        }

        if (original.Type == RecordType.Spill)
            RecordLayout.Put(fields, original.AsSpill().CompressedSize == 0 ? new(8, 8) : new(32, 8), SmallestBlock);

        return header;
    }

    /// <summary>
    /// Adds the other fields of the header that rules check; keys, checksums and vectors are left out.
    /// </summary>
    private static void AddPatches(
        List<byte> program,
        ReadOnlySpan<byte> made,
        ReadOnlySpan<byte> header,
        RecordType type
    )
    {
        if (type == RecordType.End)
            return;
        var most =
            RecordLayout.FieldsOffset
            + (type is RecordType.Write or RecordType.Object or RecordType.WriteEmbedded ? 48 : 32);
        for (int at = RecordLayout.FieldsOffset, patches = 0; at < most && patches < MostPatches; at++)
        {
            if (made[at] == header[at])
                continue;
            program.Add(StreamProgram.Patch);
            ByteSource.Put(program, (ulong)at, 1);
            program.Add(header[at]);
            patches++;
        }
    }
}
