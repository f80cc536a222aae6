using System.Text;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.StreamBenchmark;

/// <summary>
/// Copies a stream under another snapshot's name: a recorded stream is then one of the snapshot that a client has just
/// made.
/// </summary>
internal static class StreamRename
{
    private const int NameOffset = 48; // drr_toname

    private const int NameSize = 256;

    public static async Task CopyAsync(Stream input, Stream output, string name)
    {
        using var reader = new SendStreamReader(input);
        using var buffer = new StreamOutput(output);
        var writer = new SendStreamWriter(buffer);
        var header = new byte[RecordHeader.Size];
        while (await reader.ReadRecordAsync(CancellationToken.None))
        {
            reader.Current.Raw.CopyTo(header);
            if (reader.Current.Type == RecordType.Begin)
                SetName(header.AsSpan(RecordHeader.FieldsOffset + NameOffset, NameSize), name);
            writer.WriteHeader(new RecordHeader(header));
            await RecordCopy.CopyPayloadAsync(reader, writer, buffer, CancellationToken.None);
        }

        await buffer.FlushAsync(CancellationToken.None);
    }

    private static void SetName(Span<byte> field, string name)
    {
        field.Clear();
        Encoding.UTF8.GetBytes(name).CopyTo(field);
    }
}
