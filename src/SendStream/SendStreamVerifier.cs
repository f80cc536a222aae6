namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Verifies a whole stream that is pushed into it in slices of any size, and gathers its facts. Memory stays bounded,
/// but for the list of a package's snapshots. Not thread-safe. After a fault every further call throws the same
/// exception.
/// </summary>
public sealed class SendStreamVerifier
{
    private readonly SendStreamParser _parser = new();
    private readonly long[] _records = new long[StreamLimits.RecordTypes];
    private readonly List<SnapshotStreamInfo> _snapshots = [];
    private long _payloadBytes;
    private ulong _logicalBytes;
    private Fletcher4 _endChecksum;

    /// <summary>The first BEGIN, as soon as it was read with its payload; for a package, the package's own.</summary>
    public SnapshotStreamInfo? Begin => _parser.Begin;

    /// <summary>Whether the last END was read; anything that follows is a fault.</summary>
    public bool IsComplete => _parser.IsComplete;

    /// <summary>Bytes of the stream so far.</summary>
    public long Length => _parser.StreamOffset;

    /// <summary>The running checksum so far; see <see cref="SendStreamParser.Checksum"/>.</summary>
    public Fletcher4 Checksum => _parser.Checksum;

    /// <summary>Takes the next bytes of the stream.</summary>
    /// <param name="data">Any number of bytes.</param>
    /// <exception cref="SendStreamException">At the first fault.</exception>
    public void Append(ReadOnlySpan<byte> data)
    {
        while (true)
        {
            switch (_parser.Read(ref data, out var payload))
            {
                case ParserEvent.Record:
                    Count(_parser.Current);
                    break;
                case ParserEvent.Payload:
                    _payloadBytes += payload.Length;
                    break;
                case ParserEvent.EndOfRecord
                    when _parser.Current.Type == RecordType.Begin && _parser.Phase != StreamPhase.PackageHeader:
                    _snapshots.Add(_parser.Snapshot!);
                    break;
                case ParserEvent.EndOfRecord:
                    break;
                // No input is left, or the stream is complete: what may still be left of the input is a fault of the
                // next round.
                default:
                    if (data.IsEmpty)
                        return;
                    break;
            }
        }
    }

    /// <summary>Says that the stream has ended, and gives its facts.</summary>
    /// <exception cref="SendStreamException">There is a fault, or no last END
    /// (<see cref="SendStreamError.EndsEarly"/>).</exception>
    public StreamInfo Complete()
    {
        _parser.EnsureComplete();
        var begin = _parser.Begin!;
        return new StreamInfo
        {
            Kind = KindOf(begin),
            Begin = begin,
            Snapshots = _snapshots.AsReadOnly(),
            Length = _parser.StreamOffset,
            RecordCount = _parser.RecordCount,
            Records = Enum.GetValues<RecordType>()
                .Select(type => KeyValuePair.Create(type, _records[(int)type]))
                .Where(count => count.Value != 0)
                .ToDictionary(),
            PayloadBytes = _payloadBytes,
            LogicalBytes = (long)Math.Min(_logicalBytes, long.MaxValue),
            EndChecksum = _endChecksum,
        };
    }

    private static StreamKind KindOf(SnapshotStreamInfo begin)
    {
        if (begin.Type == StreamType.None)
            return StreamKind.Package;
        return begin.IsIncremental ? StreamKind.Incremental : StreamKind.Full;
    }

    private void Count(RecordHeader header)
    {
        _records[(int)header.Type]++;
        switch (header.Type)
        {
            case RecordType.Write:
                _logicalBytes += header.AsWrite().LogicalSize;
                break;
            case RecordType.WriteEmbedded:
                _logicalBytes += header.AsWriteEmbedded().Length;
                break;
            case RecordType.WriteByRef:
                _logicalBytes += header.AsWriteByRef().Length;
                break;
            case RecordType.End when StreamGrammar.IsInSnapshot(_parser.Phase):
                _endChecksum = header.AsEnd().Checksum;
                break;
            default:
                break;
        }
    }
}
