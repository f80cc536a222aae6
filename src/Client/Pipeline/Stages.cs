using System.Runtime.ExceptionServices;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// Tasks that work together: when one fails the others are stopped, and the failure that came first is the one that
/// counts.
/// </summary>
internal sealed class Stages(CancellationToken cancellationToken) : IDisposable
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    private ExceptionDispatchInfo? _first;

    /// <summary>Is cancelled when a stage fails, or the caller gives up.</summary>
    public CancellationToken Stop => _stop.Token;

    public async Task<T> Run<T>(Func<Task<T>> stage)
    {
        try
        {
            return await stage();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Interlocked.CompareExchange(ref _first, ExceptionDispatchInfo.Capture(e), null);
            await _stop.CancelAsync();
            throw;
        }
    }

    /// <summary>Waits for all stages.</summary>
    public async Task EndAsync(IReadOnlyCollection<Task> stages)
    {
        try
        {
            await Task.WhenAll(stages);
        }
        catch when (_first is not null)
        {
            cancellationToken.ThrowIfCancellationRequested(); // what fails because the caller gave up is no failure
            _first.Throw();
        }
    }

    public void Dispose() => _stop.Dispose();
}
