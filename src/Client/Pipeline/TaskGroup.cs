using System.Runtime.ExceptionServices;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// Tasks that depend on one another: when one fails, the others are cancelled, and the first failure is reported.
/// </summary>
internal sealed class TaskGroup(CancellationToken cancellationToken) : IDisposable
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    private ExceptionDispatchInfo? _first;

    /// <summary>Cancelled when a task fails or the caller cancels.</summary>
    public CancellationToken Stop => _stop.Token;

    public async Task<T> Run<T>(Func<Task<T>> task)
    {
        try
        {
            return await task();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Interlocked.CompareExchange(ref _first, ExceptionDispatchInfo.Capture(e), null);
            await _stop.CancelAsync();
            throw;
        }
    }

    /// <summary>Waits for all tasks.</summary>
    public async Task WaitAsync(IReadOnlyCollection<Task> tasks)
    {
        try
        {
            await Task.WhenAll(tasks);
        }
        catch when (_first is not null)
        {
            cancellationToken.ThrowIfCancellationRequested(); // failures caused by the cancellation do not count
            _first.Throw();
        }
    }

    public void Dispose() => _stop.Dispose();
}
