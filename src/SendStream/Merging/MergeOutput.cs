using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>The merged stream: records of any layer, rewritten as records of the newest snapshot.</summary>
internal sealed class MergeOutput(SendStreamWriter writer, StreamOutput output, ulong snapshotGuid)
{
    private readonly EditableRecord _record = new();

    public void WriteRange(RecordHeader range) =>
        writer.WriteHeader(_record.Load(range).SetSnapshotGuid(snapshotGuid).Header);

    public void WriteFreeObjects(ulong first, ulong end)
    {
        var data = new FreeObjectsRecordData
        {
            FirstObject = first,
            ObjectCount = end - first,
            SnapshotGuid = snapshotGuid,
        };
        writer.WriteHeader(_record.Make(data).Header);
    }

    public void WriteFree(ulong number, ulong offset, ulong length)
    {
        var data = new FreeRecordData
        {
            Object = number,
            Offset = offset,
            Length = length,
            SnapshotGuid = snapshotGuid,
        };
        writer.WriteHeader(_record.Make(data).Header);
    }

    public void WriteEnd() => writer.WriteHeader(_record.MakeEnd(snapshotGuid).Header);

    public ValueTask WriteObjectAsync(SendStreamReader reader, uint blockSize, CancellationToken cancellationToken) =>
        WriteAsync(_record.Load(reader.Current).SetBlockSize(blockSize), reader, cancellationToken);

    public ValueTask WriteBlockAsync(SendStreamReader reader, CancellationToken cancellationToken) =>
        WriteAsync(_record.Load(reader.Current), reader, cancellationToken);

    public ValueTask WriteSpillAsync(SendStreamReader reader, bool isChanged, CancellationToken cancellationToken)
    {
        _ = _record.Load(reader.Current);
        return WriteAsync(isChanged ? _record.SetSpillModified() : _record, reader, cancellationToken);
    }

    private ValueTask WriteAsync(EditableRecord record, SendStreamReader reader, CancellationToken cancellationToken)
    {
        writer.WriteHeader(record.SetSnapshotGuid(snapshotGuid).Header);
        return RecordCopy.CopyPayloadAsync(reader, writer, output, cancellationToken);
    }
}
