using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Status;

/// <summary>
/// One thing that the server needs, looked at in bounded time. All who ask within a few seconds share one look, so that
/// asking loads nothing.
/// </summary>
/// <param name="name">What it is.</param>
/// <param name="look">Returns what is wrong, or null.</param>
/// <param name="patience">What has not answered by then does not answer.</param>
/// <param name="time">The clock.</param>
/// <param name="changed">Is told when the result is another than before, with the detail.</param>
internal sealed class ReadyCheck(
    string name,
    Func<CancellationToken, Task<ReadyFault?>> look,
    TimeSpan patience,
    TimeProvider time,
    Action<ReadyResult, string?> changed
)
{
    /// <summary>How long a result counts.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Task<ReadyFault?>? _running;
    private long _begun;
    private ReadyResult? _last;

    public async Task<ReadyResult> RunAsync()
    {
        Task<ReadyFault?> running;
        lock (_lock)
        {
            // One that hangs is not joined by another: what hangs on a dead disk would be a thread each.
            if (_running is null || (_running.IsCompleted && time.GetElapsedTime(_begun) >= Lifetime))
                (_running, _begun) = (LookAsync(), time.GetTimestamp());
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

    /// <summary>On a thread of its own: a file on a dead disk, and SQLite, do not care for tokens.</summary>
    private Task<ReadyFault?> LookAsync() =>
        Task.Run(async () =>
        {
            using var end = new CancellationTokenSource(patience);
            try
            {
                return await look(end.Token);
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                throw new TimeoutException();
            }
        });
}

/// <param name="Message">For everybody.</param>
/// <param name="Detail">For the log.</param>
internal sealed record ReadyFault(string Message, string Detail);
