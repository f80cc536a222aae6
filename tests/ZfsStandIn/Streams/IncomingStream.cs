using System.Runtime.InteropServices;
using System.Text;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Streams;

/// <summary>
/// A stream that is received: every record is verified, and then done to the contents. What came up to the last whole
/// record counts, however it ends. As in the kernel (module/zfs/dmu_recv.c, receive_read_record) a record is whole when
/// the header behind it was read, whose checksum proves it.
/// </summary>
internal sealed class IncomingStream(Stream source)
{
    private readonly SendStreamParser _parser = new();
    private readonly byte[] _buffer = new byte[256 * 1024];
    private readonly byte[] _header = new byte[RecordHeader.Size];
    private readonly List<byte> _payload = [];
    private ParserState? _unproven;
    private int _start;
    private int _end;

    /// <summary>What the stream says of itself; null before it said so.</summary>
    public SnapshotStreamInfo? Begin => _parser.Begin;

    /// <summary>After the last record that is proven.</summary>
    public ParserState State { get; private set; } = ParserState.Start;

    /// <summary>Whether a record came behind BEGIN, if only its header.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Reads BEGIN.</summary>
    /// <returns>False where not even its header is there.</returns>
    /// <exception cref="SendStreamException">It is faulty.</exception>
    public bool ReadBegin()
    {
        int count;
        while (_end < RecordHeader.Size && (count = source.Read(_buffer, _end, _buffer.Length - _end)) > 0)
            _end += count;
        if (_end < RecordHeader.Size)
            return false;
        while (_unproven is null)
            _ = Advance(null);
        return true;
    }

    /// <summary>Reads the next record, and does the one before it.</summary>
    /// <param name="contents">What it is done to; null: nothing.</param>
    /// <returns>False where the stream has ended, complete and valid.</returns>
    /// <exception cref="SendStreamException">It is faulty, or ends early.</exception>
    public bool ReadRecord(Contents? contents)
    {
        while (true)
        {
            if (Advance(contents) is not { } found)
                return false;
            if (found == ParserEvent.EndOfRecord)
                return true;
        }
    }

    /// <returns>Null at the end.</returns>
    private ParserEvent? Advance(Contents? contents)
    {
        ReadOnlySpan<byte> input = _buffer.AsSpan(_start, _end - _start);
        var found = _parser.Read(ref input, out var payload);
        _start = _end - input.Length;
        switch (found)
        {
            case ParserEvent.Record:
                HasBegun = _parser.RecordIndex > 0;
                Prove(contents);
                _parser.Current.Raw.CopyTo(_header);
                break;
            case ParserEvent.Payload:
                _payload.AddRange(payload);
                break;
            case ParserEvent.EndOfRecord:
                _unproven = _parser.State;
                break;
            default:
                (_start, _end) = (0, source.Read(_buffer));
                if (_end > 0)
                    break;
                _parser.EnsureComplete();
                State = _parser.State;
                return null;
        }

        return found;
    }

    private void Prove(Contents? contents)
    {
        if (_unproven is null)
            return;
        if (contents is not null)
            Apply(contents, new RecordHeader(_header));
        State = _unproven;
        _unproven = null;
        _payload.Clear();
    }

    private void Apply(Contents contents, RecordHeader header)
    {
        switch (header.Type)
        {
            case RecordType.Object:
                ApplyObject(contents, header);
                break;
            case RecordType.FreeObjects:
                var gone = header.AsFreeObjects();
                var (first, count) = (gone.FirstObject, gone.ObjectCount);
                contents.Files.RemoveAll(file => file.Number >= first && file.Number - first < count);
                break;
            case RecordType.Free:
                var free = header.AsFree();
                if (contents.Find(free.Object) is { } cut)
                    cut.Truncate(((long)free.Offset + cut.BlockSize - 1) / cut.BlockSize);
                break;
            case RecordType.Write:
                var write = header.AsWrite();
                var file = contents.Find(write.Object) ?? throw NotMine($"object {write.Object}");
                var index = (long)write.Offset / file.BlockSize;
                var seed = Block.Recognize(CollectionsMarshal.AsSpan(_payload), index)
                    ?? throw NotMine($"block {index} of {file.Name}");
                file.SetBlock(index, seed);
                break;
            default:
                break;
        }
    }

    private void ApplyObject(Contents contents, RecordHeader header)
    {
        var record = header.AsObject();
        var name = Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(_payload)[..(int)record.BonusLength]);
        var file = contents.Find(record.Object);
        if (file is null || file.BlockSize != (int)record.BlockSize)
        {
            var number = record.Object;
            contents.Files.RemoveAll(old => old.Number == number);
            file = contents.Add(number, name, (int)record.BlockSize);
        }

        file.Name = name;
    }

    private static ZfsFailure NotMine(string what) =>
        new($"stand-in: {what} is not what a stream of the stand-in holds");
}
