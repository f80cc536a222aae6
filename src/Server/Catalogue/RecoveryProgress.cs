namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>What is still to be finished of uploads that were interrupted; /ready says so.</summary>
internal sealed class RecoveryProgress
{
    private readonly Lock _lock = new();
    private bool _hasStarted;
    private bool _hasEnded;
    private int _left;

    /// <summary>Human-readable; null if nothing is left.</summary>
    public string? Message
    {
        get
        {
            lock (_lock)
            {
                if (_hasEnded)
                    return _left == 0
                        ? null
                        : "Interrupted commits and removals of uploads that cannot be finished now and are tried "
                            + $"again every hour: {_left}";
                return _hasStarted
                    ? $"Interrupted commits and removals of uploads that are still to be finished: {_left}"
                    : "It begins in a moment.";
            }
        }
    }

    /// <summary>Notes how many uploads are not finished, now or at the end of a later run.</summary>
    public void Report(int left)
    {
        lock (_lock)
            (_hasStarted, _left) = (true, left);
    }

    /// <summary>Notes that the recovery after the start is over, whether it finished everything or not.</summary>
    public void End()
    {
        lock (_lock)
            _hasEnded = true;
    }
}
