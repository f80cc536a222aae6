using System.Buffers;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// Streams as OpenZFS after 2.4 sends them (eaaea55b69): the list in their BEGIN is packed in XDR, filled up with zeros
/// to a multiple of 8 bytes. Made of recorded streams, whose lists are native.
/// </summary>
internal static class XdrEncoding
{
    /// <summary>The stream with its BEGIN's list in XDR, and the checksums that follow from it.</summary>
    public static byte[] Of(byte[] stream)
    {
        using var source = new SendStreamReader(new MemoryStream(stream));
        var output = new ArrayBufferWriter<byte>();
        var writer = new SendStreamWriter(output);
        var begin = new EditableRecord();
        while (source.ReadRecord())
        {
            if (source.Current.Type != RecordType.Begin)
            {
                writer.WriteHeader(source.Current);
                for (var slice = source.ReadPayload(); !slice.IsEmpty; slice = source.ReadPayload())
                    writer.WritePayload(slice.Span);
                continue;
            }

            _ = begin.Load(source.Current);
            while (!source.ReadPayload().IsEmpty) { }

            var facts = source.Parser.Begin!;
            var payload = Packed(source.Parser.BeginPayload!);
            var data = new BeginRecordData
            {
                BaseGuid = facts.BaseGuid,
                Features = facts.Features,
                Flags = facts.Flags,
                PayloadLength = payload.Length,
            };
            writer.WriteHeader(begin.SetBegin(data).Header);
            writer.WritePayload(payload);
        }

        return output.WrittenSpan.ToArray();
    }

    private static byte[] Packed(NvList list)
    {
        var packed = Packing.Xdr(Pairs(list));
        return [.. packed, .. new byte[-packed.Length & 7]];
    }

    private static (string, object)[] Pairs(NvList list) => [.. list.Pairs.Select(pair => (pair.Name, Value(pair)))];

    private static object Value(NvPair pair)
    {
        if (pair.TryGetUInt64(out var number))
            return number;
        if (pair.TryGetString(out var text))
            return text;
        if (pair.TryGetUInt64Array(out var numbers))
            return numbers;
        if (pair.TryGetList(out var list))
            return Pairs(list);
        Assert.Equal(NvType.UInt8Array, pair.Type);
        return pair.Bytes[..pair.Count].ToArray();
    }
}
