using ZfsSnapshotManager.Client.Pipeline;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>What of an upload the server has without gaps: that is where another run would go on.</summary>
internal sealed class AcknowledgedParts(int parts, long streamBytes)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _ahead = [];
    private int _parts = parts;
    private long _streamBytes = streamBytes;

    /// <summary>
    /// Whether something is there that parts are not counted of: what ZFS on the server has received.
    /// </summary>
    public bool IsResumed { get; init; }

    /// <summary>Whether anything is there.</summary>
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
            _ahead[part.Number] = part.StreamBytes;
            while (_ahead.Remove(_parts + 1, out var bytes))
            {
                _parts++;
                _streamBytes += bytes;
            }
        }
    }
}
