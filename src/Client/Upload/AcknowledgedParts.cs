using ZfsSnapshotManager.Client.Pipeline;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// Counts the acknowledged parts that follow one another without a gap: another run would resume after them.
/// Thread-safe.
/// </summary>
internal sealed class AcknowledgedParts(int parts, long streamBytes)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _ahead = [];
    private int _parts = parts;
    private long _streamBytes = streamBytes;

    /// <summary>
    /// Whether the server had something before this run, even if it is not counted in parts (what its ZFS received).
    /// </summary>
    public bool IsResumed { get; init; }

    /// <summary>Whether the server has anything of the upload.</summary>
    public bool Any
    {
        get
        {
            lock (_lock)
                return _parts > 0 || IsResumed;
        }
    }

    /// <summary>Bytes of the stream.</summary>
    public long StreamBytes
    {
        get
        {
            lock (_lock)
                return _streamBytes;
        }
    }

    public void Add(UploadPart part)
    {
        lock (_lock)
        {
            Invariant.Require(
                part.Number > _parts && !_ahead.ContainsKey(part.Number),
                $"part {part.Number} is acknowledged once"
            );
            _ahead[part.Number] = part.StreamBytes;
            while (_ahead.Remove(_parts + 1, out var bytes))
            {
                _parts++;
                _streamBytes += bytes;
            }
        }
    }
}
