using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>The merged stream: records of any layer, made records of the newest snapshot.</summary>
internal sealed class MergeOutput(SendStreamWriter writer, StreamOutput output, ulong snapshotGuid)
{
    private readonly EditableRecord _record = new();

    public void WriteRange(RecordHeader range) =>
        writer.WriteHeader(_record.Load(range).SetSnapshotGuid(snapshotGuid).Header);

    public void WriteFreeObjects(ulong first, ulong end) =>
        writer.WriteHeader(_record.MakeFreeObjects(first, end - first, snapshotGuid).Header);

    public void WriteFree(ulong number, ulong offset, ulong length) =>
        writer.WriteHeader(_record.MakeFree(number, offset, length, snapshotGuid).Header);

    public void WriteEnd() => writer.WriteHeader(_record.MakeEnd(snapshotGuid).Header);

    public ValueTask WriteObjectAsync(SendStreamReader reader, uint blockSize, CancellationToken cancellationToken) =>
        WriteAsync(_record.Load(reader.Current).SetBlockSize(blockSize), reader, cancellationToken);

    public ValueTask WriteBlockAsync(SendStreamReader reader, CancellationToken cancellationToken) =>
        WriteAsync(_record.Load(reader.Current), reader, cancellationToken);

    public ValueTask WriteSpillAsync(SendStreamReader reader, bool isNews, CancellationToken cancellationToken)
    {
        _ = _record.Load(reader.Current);
        return WriteAsync(isNews ? _record.SetSpillModified() : _record, reader, cancellationToken);
    }

    private ValueTask WriteAsync(EditableRecord record, SendStreamReader reader, CancellationToken cancellationToken)
    {
        writer.WriteHeader(record.SetSnapshotGuid(snapshotGuid).Header);
        return RecordCopy.CopyPayloadAsync(reader, writer, output, cancellationToken);
    }
}
