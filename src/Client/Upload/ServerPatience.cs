using System.Globalization;
using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// Tries what fails for a while again, with growing, random pauses, until it succeeds or nothing has succeeded for too
/// long. One for all requests of an upload: as long as some part gets through, the server is there.
/// </summary>
/// <param name="patience">Counted from the first failure since the last success; zero: nothing is tried again.</param>
/// <param name="time">The clock.</param>
/// <param name="random">For the pauses: clients that lost the same server must not come back at the same
/// moment.</param>
/// <param name="waiting">Is told why it waits; null once something has succeeded again.</param>
internal sealed class ServerPatience(TimeSpan patience, TimeProvider time, Random random, Action<string?> waiting)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private long? _trouble;

    /// <summary>How often something was tried again.</summary>
    public int Retries { get; private set; }

    /// <summary>Whether a failure may pass by itself.</summary>
    public static bool IsPassing(Exception e) =>
        e switch
        {
            ApiException { Code: "part_damaged" } => true, // it was right when it left
            ApiException { Code: "too_many_uploads" } => false,
            ApiException { Code: "receive_failed" } => false, // it would fail again
            ApiException answer => answer.Status
                is HttpStatusCode.RequestTimeout
                    or HttpStatusCode.TooManyRequests
                    or HttpStatusCode.InternalServerError
                    or HttpStatusCode.BadGateway
                    or HttpStatusCode.ServiceUnavailable
                    or HttpStatusCode.GatewayTimeout,
            OperationException failure => failure.ExitCode == ExitCode.Unreachable,
            _ => false,
        };

    /// <exception cref="OperationException">It failed in a way that does not pass, or for too long.</exception>
    public async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> attempt, CancellationToken cancellationToken)
    {
        for (var failures = 1; ; failures++)
        {
            var start = time.GetTimestamp();
            try
            {
                var result = await attempt(cancellationToken);
                Succeeded();
                return result;
            }
            catch (OperationException e) when (IsPassing(e) && patience > TimeSpan.Zero)
            {
                var lasted = Failed(start);
                if (lasted >= patience)
                    throw;
                var pause = PauseAfter(failures, e, patience - lasted);
                waiting($"waiting for the server ({Describe(lasted)}): {e.Message}");
                await Task.Delay(pause, time, cancellationToken);
            }
        }
    }

    private void Succeeded()
    {
        lock (_lock)
        {
            if (_trouble is null)
                return;
            _trouble = null;
        }

        waiting(null);
    }

    /// <returns>How long nothing has succeeded.</returns>
    private TimeSpan Failed(long start)
    {
        lock (_lock)
        {
            Retries++;
            _trouble ??= start;
            return time.GetElapsedTime(_trouble.Value);
        }
    }

    private TimeSpan PauseAfter(int failures, OperationException e, TimeSpan left)
    {
        var pause = LongestPause;
        if (failures < 8)
            pause = TimeSpan.FromTicks(Math.Min(FirstPause.Ticks << (failures - 1), LongestPause.Ticks));
        pause *= 0.5 + random.NextDouble();
        if (e is ApiException { RetryAfter: { } asked } && asked > pause)
            pause = asked;
        return pause < left ? pause : left;
    }

    private static string Describe(TimeSpan time) =>
        time.TotalSeconds < 60
            ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0} s")
            : string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0} min");
}
