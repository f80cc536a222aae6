namespace ZfsSnapshotManager.Server.Http;

/// <summary>
/// Slots for requests of one kind: so many in all, and so many of one client. A released slot goes to the waiting
/// client that holds the fewest, so that a client with many requests does not keep out one with few.
/// </summary>
/// <param name="limit">Slots in all.</param>
/// <param name="perClient">The most that one client holds, also while nobody else wants one.</param>
/// <param name="heldBeside">What else a client holds, which counts when a slot is given away; null: nothing.</param>
internal sealed class FairSlots(int limit, int perClient, Func<string, int>? heldBeside = null)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _held = new(StringComparer.Ordinal);
    private readonly List<Waiter> _waiting = [];
    private int _unused = limit;

    public int Limit { get; } = limit;

    /// <summary>Whether a released slot would go to somebody.</summary>
    public bool IsAwaited
    {
        get
        {
            lock (_lock)
                return _waiting.Exists(MayHold);
        }
    }

    /// <summary>Slots that a client holds.</summary>
    public int HeldBy(string clientId)
    {
        lock (_lock)
            return _held.GetValueOrDefault(clientId);
    }

    /// <returns>Null if no slot can be had now.</returns>
    public Slot? TryAcquire(string clientId)
    {
        var waiter = new Waiter(clientId);
        lock (_lock)
        {
            if (_unused == 0 || !MayHold(waiter))
                return null;
            Grant(waiter);
        }

        return new Slot(this, clientId);
    }

    /// <returns>Null if no slot could be had for too long.</returns>
    public async Task<Slot?> AcquireAsync(string clientId, TimeSpan patience, CancellationToken cancellationToken)
    {
        var waiter = new Waiter(clientId);
        lock (_lock)
        {
            _waiting.Add(waiter);
            Serve();
        }

        try
        {
            await waiter.Served.Task.WaitAsync(patience, cancellationToken);
        }
        catch (TimeoutException)
        {
            if (!GaveUp(waiter))
                return new Slot(this, clientId);
            return null;
        }
        catch (OperationCanceledException)
        {
            if (!GaveUp(waiter))
                Release(clientId);
            throw;
        }

        return new Slot(this, clientId);
    }

    /// <returns>False if the waiter was served in this moment.</returns>
    private bool GaveUp(Waiter waiter)
    {
        lock (_lock)
            return _waiting.Remove(waiter);
    }

    private void Release(string clientId)
    {
        lock (_lock)
        {
            _unused++;
            if (--_held[clientId] == 0)
                _held.Remove(clientId);
            Serve();
        }
    }

    /// <summary>Under the lock.</summary>
    private void Serve()
    {
        while (_unused > 0 && _waiting.Where(MayHold).MinBy(HeldInAll) is { } next)
        {
            _waiting.Remove(next);
            Grant(next);
        }
    }

    private void Grant(Waiter waiter)
    {
        _unused--;
        _held[waiter.ClientId] = _held.GetValueOrDefault(waiter.ClientId) + 1;
        waiter.Served.SetResult();
    }

    private int HeldInAll(Waiter waiter) =>
        _held.GetValueOrDefault(waiter.ClientId) + (heldBeside?.Invoke(waiter.ClientId) ?? 0);

    private bool MayHold(Waiter waiter) => _held.GetValueOrDefault(waiter.ClientId) < perClient;

    private sealed record Waiter(string ClientId)
    {
        public TaskCompletionSource Served { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Releases the slot when it is disposed.</summary>
    internal sealed class Slot(FairSlots owner, string clientId) : IDisposable
    {
        private int _released;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _released, 1) == 0)
                owner.Release(clientId);
        }
    }
}
