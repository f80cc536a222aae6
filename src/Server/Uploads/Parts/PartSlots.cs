using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// How many parts are taken in at once: as many as there is memory for. What waits has not been read yet, so that it
/// costs nothing. A place that becomes free goes to the client that has the fewest, so that one with many lanes does
/// not keep out one with few.
/// </summary>
internal sealed class PartSlots(PartBuffers buffers)
{
    /// <summary>Less than a client waits for a sign of life. Then it is told, and comes again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _taken = new(StringComparer.Ordinal);
    private readonly List<Waiter> _waiting = [];
    private int _free = buffers.Limit;

    /// <returns>Gives the place back when it is disposed.</returns>
    /// <exception cref="RequestException">There was none for too long.</exception>
    public async Task<IDisposable> TakeAsync(string clientId, CancellationToken cancellationToken)
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
            lock (_lock)
            {
                // It may have been served in this moment.
                if (!_waiting.Remove(waiter))
                    Release(clientId);
            }

            if (e is TimeoutException)
                throw new RequestException(
                    StatusCodes.Status503ServiceUnavailable,
                    "server_busy",
                    $"The server takes {buffers.Limit} parts at once, and had no place for this one within "
                        + $"{Patience.TotalSeconds:0} s.",
                    "Send it again; the server's administrator can give more memory to parts.",
                    e
                );
            throw;
        }

        return new Place(this, clientId);
    }

    /// <summary>Under the lock.</summary>
    private void Serve()
    {
        while (_free > 0 && _waiting.MinBy(waiter => _taken.GetValueOrDefault(waiter.ClientId)) is { } next)
        {
            _waiting.Remove(next);
            _free--;
            _taken[next.ClientId] = _taken.GetValueOrDefault(next.ClientId) + 1;
            next.Served.SetResult();
        }
    }

    /// <summary>Under the lock.</summary>
    private void Release(string clientId)
    {
        _free++;
        if (--_taken[clientId] == 0)
            _taken.Remove(clientId);
        Serve();
    }

    private sealed record Waiter(string ClientId)
    {
        public TaskCompletionSource Served { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class Place(PartSlots owner, string clientId) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._lock)
                owner.Release(clientId);
        }
    }
}
