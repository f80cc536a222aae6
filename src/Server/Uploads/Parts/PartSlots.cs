using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Limits how many parts are received at once to what there is memory for. Parts that wait have not been read and cost
/// nothing. A released slot goes to the client that holds the fewest, so that a client with many lanes does not keep
/// out one with few.
/// </summary>
internal sealed class PartSlots(PartBuffers buffers)
{
    /// <summary>Less than a client waits for an answer. Then it is told to send the part again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _held = new(StringComparer.Ordinal);
    private readonly List<Waiter> _waiting = [];
    private int _unused = buffers.Limit;

    /// <returns>Releases the slot when it is disposed.</returns>
    /// <exception cref="RequestException">503: no slot was released for too long.</exception>
    public async Task<IDisposable> AcquireAsync(string clientId, CancellationToken cancellationToken)
    {
        var waiter = new Waiter(clientId);
        lock (_lock)
        {
            _waiting.Add(waiter);
            Serve();
        }

        try
        {
            await waiter.Served.Task.WaitAsync(Patience, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            GiveUp(waiter);
            if (e is TimeoutException)
                throw new RequestException(
                    StatusCodes.Status503ServiceUnavailable,
                    "server_busy",
                    $"The server receives {buffers.Limit} parts at once, and none of them ended within "
                        + $"{Patience.TotalSeconds:0} s.",
                    "Send it again; the server's administrator can give more memory to parts.",
                    e
                );
            throw;
        }

        return new Slot(this, clientId);
    }

    private void GiveUp(Waiter waiter)
    {
        lock (_lock)
        {
            // It may have been served in this moment.
            if (!_waiting.Remove(waiter))
                Release(waiter.ClientId);
        }
    }

    /// <summary>Under the lock.</summary>
    private void Serve()
    {
        while (_unused > 0 && _waiting.MinBy(waiter => _held.GetValueOrDefault(waiter.ClientId)) is { } next)
        {
            _waiting.Remove(next);
            _unused--;
            _held[next.ClientId] = _held.GetValueOrDefault(next.ClientId) + 1;
            next.Served.SetResult();
        }
    }

    /// <summary>Under the lock.</summary>
    private void Release(string clientId)
    {
        _unused++;
        if (--_held[clientId] == 0)
            _held.Remove(clientId);
        Serve();
    }

    private sealed record Waiter(string ClientId)
    {
        public TaskCompletionSource Served { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class Slot(PartSlots owner, string clientId) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._lock)
                owner.Release(clientId);
        }
    }
}
