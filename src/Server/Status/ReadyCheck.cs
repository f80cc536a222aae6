using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Status;

/// <summary>
/// Checks one thing that the server needs, in bounded time. Requests within a few seconds share one result, so they
/// cost nothing.
/// </summary>
/// <param name="name">What is checked.</param>
/// <param name="probe">Returns the fault, or null.</param>
/// <param name="patience">How long the probe may take.</param>
/// <param name="lifetime">How long a result is valid.</param>
/// <param name="time">The clock.</param>
/// <param name="changed">Called with the detail when the result changes.</param>
internal sealed class ReadyCheck(
    string name,
    Func<CancellationToken, Task<ReadyFault?>> probe,
    TimeSpan patience,
    TimeSpan lifetime,
    TimeProvider time,
    Action<ReadyResult, string?> changed
)
{
    private readonly Lock _lock = new();
    private Task<ReadyFault?>? _running;
    private long _begun;
    private ReadyResult? _last;

    public async Task<ReadyResult> RunAsync()
    {
        Task<ReadyFault?> running;
        lock (_lock)
        {
            // No second probe starts while one hangs: on a dead disk, each would block a thread.
            if (_running is null || (_running.IsCompleted && time.GetElapsedTime(_begun) >= lifetime))
                (_running, _begun) = (ProbeAsync(), time.GetTimestamp());
            running = _running;
        }

        var fault = await WaitAsync(running);
        var result = new ReadyResult
        {
            Name = name,
            Ok = fault is null,
            Message = fault?.Message,
        };
        lock (_lock)
        {
            if (result == _last || (_last is null && result.Ok))
                return result;
            _last = result;
        }

        changed(result, fault?.Detail);
        return result;
    }

    private async Task<ReadyFault?> WaitAsync(Task<ReadyFault?> running)
    {
        try
        {
            return await running.WaitAsync(patience);
        }
        catch (TimeoutException)
        {
            var silent = $"It does not answer within {patience.TotalSeconds:0.#} s.";
            return new ReadyFault(silent, silent);
        }
    }

    /// <summary>On a thread of its own: file operations on a dead disk, and SQLite, ignore cancellation.</summary>
    private Task<ReadyFault?> ProbeAsync() =>
        Task.Run(async () =>
        {
            using var end = new CancellationTokenSource(patience);
            try
            {
                return await probe(end.Token);
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                throw new TimeoutException();
            }
        });
}

/// <param name="Message">For the response, which anyone may read.</param>
/// <param name="Detail">For the log.</param>
internal sealed record ReadyFault(string Message, string Detail);
