using System.Globalization;
using System.Runtime.ExceptionServices;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// Retries requests whose failures are <see cref="FailureKind.Transient"/>, with growing, random pauses, until one
/// succeeds or none has succeeded for too long. One policy serves all requests of a transfer: as long as one of them
/// gets through, the server is reachable. Safe for use by several threads.
/// </summary>
/// <param name="patience">How long to retry, counted from the first failure since the last success of any request, and
/// for each request from its own first failure; zero: no retries.</param>
/// <param name="time">The clock.</param>
/// <param name="waiting">Gets why it waits, human-readable; null once something has succeeded again.</param>
/// <param name="random">For the pauses, so that clients that lost the same server do not return at the same moment;
/// null: <see cref="Random.Shared"/>.</param>
/// <param name="honorsRetryAfter">Whether a pause lasts at least as long as the server asks for (Retry-After).</param>
public sealed class RetryPolicy(
    TimeSpan patience,
    TimeProvider time,
    Action<string?> waiting,
    Random? random = null,
    bool honorsRetryAfter = false
)
{
    private const int MaxDoublings = 10;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly Random _random = random ?? Random.Shared;
    private readonly Lock _lock = new();

    /// <summary>When the first failure since the last success happened, as a timestamp of the clock.</summary>
    private long? _failingSince;

    /// <summary>How many failures were answered by a retry, or ended the patience.</summary>
    public int Retries { get; private set; }

    /// <summary>Runs one request until it succeeds.</summary>
    /// <exception cref="OperationException">The request's own failure: it is not transient, or lasted too
    /// long.</exception>
    public async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> attempt, CancellationToken cancellationToken)
    {
        long? failingSince = null;
        for (var failures = 1; ; failures++)
        {
            var start = time.GetTimestamp();
            failingSince ??= start;
            try
            {
                var result = await attempt(cancellationToken);
                Succeeded();
                return result;
            }
            catch (OperationException e) when (patience > TimeSpan.Zero && e.Kind == FailureKind.Transient)
            {
                // Others may get through all the time: what fails again and again must still end.
                await WaitAsync(e, failures, start, time.GetElapsedTime(failingSince.Value), cancellationToken);
            }
        }
    }

    /// <summary>Something got through: patience is counted anew.</summary>
    public void Succeeded()
    {
        lock (_lock)
        {
            if (_failingSince is null)
                return;
            _failingSince = null;
        }

        waiting(null);
    }

    /// <summary>Waits until a request may be retried, for callers that make their attempts themselves.</summary>
    /// <param name="failure">A transient one.</param>
    /// <param name="failures">How often the request failed without progress, from 1; pauses grow with it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OperationException">The failure itself: nothing has succeeded for too long.</exception>
    public Task WaitAsync(OperationException failure, int failures, CancellationToken cancellationToken) =>
        WaitAsync(failure, failures, time.GetTimestamp(), TimeSpan.Zero, cancellationToken);

    /// <param name="alone">How long this request has failed, whatever the others do.</param>
    private async Task WaitAsync(
        OperationException failure,
        int failures,
        long start,
        TimeSpan alone,
        CancellationToken cancellationToken
    )
    {
        var together = Failed(start);
        var lasted = alone > together ? alone : together;
        if (lasted >= patience)
            ExceptionDispatchInfo.Throw(failure);
        var pause = PauseAfter(failures, failure);
        var left = patience - lasted;
        waiting($"waiting for the server ({Describe(lasted)}): {failure.Message}");
        await Task.Delay(pause < left ? pause : left, time, cancellationToken);
    }

    /// <param name="start">When the request was sent, or failed.</param>
    /// <returns>How long nothing has succeeded.</returns>
    private TimeSpan Failed(long start)
    {
        lock (_lock)
        {
            Retries++;
            _failingSince ??= start;
            return time.GetElapsedTime(_failingSince.Value);
        }
    }

    private TimeSpan PauseAfter(int failures, OperationException failure)
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(failures - 1, MaxDoublings));
        if (pause > LongestPause)
            pause = LongestPause;
        pause *= 0.5 + _random.NextDouble();
        if (honorsRetryAfter && failure is ApiException { RetryAfter: { } asked } && asked > pause)
            return asked;
        return pause;
    }

    private static string Describe(TimeSpan time) =>
        time.TotalSeconds < 60
            ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0} s")
            : string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0} min");
}
