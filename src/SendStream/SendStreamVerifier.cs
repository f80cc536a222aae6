using System.Buffers;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Verifies a whole stream and gathers what it says: <see cref="VerifyAsync"/> in one call, or pushed in slices of any
/// size with <see cref="Append"/> and <see cref="Complete"/>. Memory is bounded, except for the list of a package's
/// snapshots. Not thread-safe. After a fault every further call throws the same exception.
/// </summary>
public sealed class SendStreamVerifier
{
    private const int BufferSize = 256 * 1024;

    private readonly SendStreamParser _parser = new();
    private readonly long[] _records = new long[StreamLimits.RecordTypes];
    private readonly List<SnapshotStreamInfo> _snapshots = [];
    private long _payloadBytes;
    private ulong _logicalBytes;
    private Fletcher4 _endChecksum;

    /// <summary>The first BEGIN, once it was read with its payload; for a package, the package's own.</summary>
    public SnapshotStreamInfo? Begin => _parser.Begin;

    /// <inheritdoc cref="SendStreamParser.MaxBeginPayload"/>
    public int MaxBeginPayload
    {
        get => _parser.MaxBeginPayload;
        set => _parser.MaxBeginPayload = value;
    }

    /// <summary>Whether the last END was read; any further byte is a fault.</summary>
    public bool IsComplete => _parser.IsComplete;

    /// <summary>Bytes of the stream so far.</summary>
    public long Length => _parser.StreamOffset;

    /// <summary>The running checksum so far; see <see cref="SendStreamParser.Checksum"/>.</summary>
    public Fletcher4 Checksum => _parser.Checksum;

    /// <summary>Verifies a stream up to the end of its source.</summary>
    /// <param name="source">The stream, from its first byte; it stays open.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <returns>What the stream is and holds.</returns>
    /// <exception cref="SendStreamException">The stream is faulty, ends early, or is followed by other
    /// data.</exception>
    public static async Task<StreamInfo> VerifyAsync(Stream source, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        var verifier = new SendStreamVerifier();
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            int count;
            while ((count = await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
                verifier.Append(buffer.AsSpan(0, count));
            return verifier.Complete();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Verifies the next bytes of the stream.</summary>
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
                    _parser.ReleaseBeginPayload();
                    break;
                case ParserEvent.EndOfRecord:
                    break;
                // No input is left, or the stream is complete: any input that is left is a fault, which the next round
                // finds.
                default:
                    if (data.IsEmpty)
                        return;
                    break;
            }
        }
    }

    /// <summary>Ends the stream.</summary>
    /// <returns>What the stream is and holds.</returns>
    /// <exception cref="SendStreamException">The stream is faulty, or has no last END
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
        if (begin.Type == DatasetType.None)
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
