using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// The retries of requests that are not part of a transfer, such as those with which a command begins: a server that
/// restarts at the full hour must not make every command fail that runs then.
/// </summary>
public static class ServerRetry
{
    /// <summary>Who waits for an hour is not told each time.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    /// <param name="retryTime">How long transient failures are retried; zero: not at all.</param>
    /// <param name="output">Gets why the command waits.</param>
    public static RetryPolicy Create(TimeSpan retryTime, Output output, TimeProvider time)
    {
        long? told = null;
        return new RetryPolicy(retryTime, time, Tell, honorsRetryAfter: true);

        void Tell(string? why)
        {
            if (why is null)
            {
                told = null;
                output.Warn("the server is reachable again");
            }
            else if (told is null || time.GetElapsedTime(told.Value) >= Interval)
            {
                told = time.GetTimestamp();
                output.Warn(why);
            }
        }
    }
}
