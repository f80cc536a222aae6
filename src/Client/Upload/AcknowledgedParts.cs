using ZfsSnapshotManager.Client.Pipeline;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// Counts the acknowledged parts that follow one another without a gap: another run would resume after them.
/// Thread-safe.
/// </summary>
/// <param name="parts">Parts that the server has.</param>
/// <param name="streamBytes">Bytes of the stream in them.</param>
/// <param name="window">How many parts may be sent beyond the first missing one. What lies behind a gap is lost if
/// another run has to resume, so a part that does not get through must not let the others run far ahead.</param>
internal sealed class AcknowledgedParts(int parts, long streamBytes, int window)
{
    private TaskCompletionSource _advanced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _ahead = [];
    private readonly int _before = parts;
    private int _parts = parts;
    private long _streamBytes = streamBytes;

    /// <summary>
    /// Whether the server had something before this run, even if it is not counted in parts (what its ZFS received).
    /// </summary>
    public bool IsResumed { get; init; }

    /// <summary>Whether the upload was resumed, and the server has no more of it than before.</summary>
    public bool IsFruitless
    {
        get
        {
            lock (_lock)
                return IsResumed && _parts == _before;
        }
    }

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

    /// <summary>Waits until a part is near enough to the first missing one to be sent.</summary>
    public async Task WaitForTurnAsync(UploadPart part, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task advanced;
            lock (_lock)
            {
                if (part.Number <= _parts + window)
                    return;
                advanced = _advanced.Task;
            }

            await advanced.WaitAsync(cancellationToken);
        }
    }

    public void Add(UploadPart part)
    {
        TaskCompletionSource? advanced = null;
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
                advanced ??= _advanced;
            }

            if (advanced is not null)
                _advanced = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        advanced?.SetResult();
    }
}
