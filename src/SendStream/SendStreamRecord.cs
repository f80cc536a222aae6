namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// One record that <see cref="SendStreamReader.ReadRecordsAsync"/> gives: a view of the reader's current record, valid
/// until the next one is asked for. Not thread-safe.
/// </summary>
public readonly struct SendStreamRecord
{
    private readonly SendStreamReader _reader;

    internal SendStreamRecord(SendStreamReader reader) => _reader = reader;

    /// <summary>The header. It cannot be kept across an <c>await</c>; ask for it again.</summary>
    public RecordHeader Header => _reader.Current;

    /// <summary>The record's type.</summary>
    public RecordType Type => Header.Type;

    /// <summary>Number of the record, counted from 0.</summary>
    public long Index => _reader.Parser.RecordIndex;

    /// <summary>Where the record begins, in bytes from the start of the stream.</summary>
    public long Offset => _reader.Parser.RecordOffset;

    /// <inheritdoc cref="SendStreamReader.ReadPayloadAsync"/>
    public ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(CancellationToken cancellationToken = default) =>
        _reader.ReadPayloadAsync(cancellationToken);

    /// <inheritdoc cref="SendStreamReader.ReadWholePayloadAsync"/>
    public ValueTask<byte[]> ReadWholePayloadAsync(CancellationToken cancellationToken = default) =>
        _reader.ReadWholePayloadAsync(cancellationToken);
}
