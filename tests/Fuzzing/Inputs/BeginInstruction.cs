using System.Buffers.Binary;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.NvLists;

namespace ZfsSnapshotManager.Fuzzing.Inputs;

/// <summary>A program's instruction for a BEGIN: GUIDs, flags, features, kind, payload.</summary>
internal static class BeginInstruction
{
    /// <summary>DRR_FLAG_FREERECORDS and DRR_FLAG_SPILL_BLOCK, which all newer senders set.</summary>
    public const byte UsualFlags = 12;

    private const ulong Magic = 0x2F5BACBAC;
    private const uint PackageHeader = 2;

    /// <summary>The features that a program names by one bit each, lowest first.</summary>
    public static IReadOnlyList<StreamFeatures> Features { get; } =
    [
        StreamFeatures.LargeBlocks,
        StreamFeatures.EmbedData,
        StreamFeatures.Compressed,
        StreamFeatures.Raw,
        StreamFeatures.Resuming,
        StreamFeatures.Redacted,
        StreamFeatures.Dedup,
        StreamFeatures.LargeDnode,
    ];

    /// <summary>The payload of BEGIN; <see cref="Bytes"/> are given in the program.</summary>
    public enum Payload
    {
        None = 0,
        Keys,
        ResumePoint,
        KeysAndResumePoint,
        Bytes,
    }

    /// <summary>Makes the header.</summary>
    /// <returns>Its payload.</returns>
    public static byte[] Read(ref ByteSource source, Span<byte> header)
    {
        RecordLayout.Make(header, RecordType.Begin, [source.NextNumber(1), source.NextNumber(1)], guid: 0, raw: false);
        var fields = header[RecordLayout.FieldsOffset..];
        var flags = source.NextByte() ^ UsualFlags;
        var mask = source.NextByte();
        var features = StreamFeatures.SaSpill | StreamFeatures.Lz4;
        for (var i = 0; i < Features.Count; i++)
            features |= (mask >> i & 1) != 0 ? Features[i] : StreamFeatures.None;
        var kind = source.NextByte() & 3; // 0: file system, 1: volume, 2 and 3: package
        RecordLayout.Put(fields, new(0, 8), Magic);
        RecordLayout.Put(fields, new(8, 8), ((ulong)features << 2) | (kind < 2 ? 1 : PackageHeader));
        RecordLayout.Put(fields, new(16, 8), 1);
        RecordLayout.Put(fields, new(24, 4), kind < 2 ? 2U + (uint)kind : 0);
        RecordLayout.Put(fields, new(28, 4), (uint)flags);
        if (kind > 1)
            fields[32..48].Clear(); // a package has no GUIDs
        "p/d@s"u8.CopyTo(fields[48..]);
        var payload = ReadPayload(ref source);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], payload.Length);
        return payload;
    }

    private static byte[] ReadPayload(ref ByteSource source)
    {
        var kind = (Payload)(source.NextByte() % 5);
        if (kind == Payload.Bytes)
            return source.Take(source.NextUInt16()).ToArray();
        var list = new NvList([]);
        if (kind is Payload.Keys or Payload.KeysAndResumePoint)
        {
            list = list.With(
                NvPair.Of(
                    "crypt_keydata",
                    new NvList([
                        NvPair.Of("DSL_CRYPTO_GUID", source.NextNumber(1)),
                        NvPair.Of("from_ivset_guid", source.NextNumber(1)),
                        NvPair.Of("to_ivset_guid", source.NextNumber(1)),
                    ])
                )
            );
        }

        if (kind is Payload.ResumePoint or Payload.KeysAndResumePoint)
            list = list.With(NvPair.Of("resume_object", source.NextNumber(1)))
                .With(NvPair.Of("resume_offset", source.NextNumber(512)));
        return kind == Payload.None ? [] : list.Pack();
    }
}
