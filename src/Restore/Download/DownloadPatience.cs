using System.Globalization;
using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// How long a server that fails or is away is waited for, with growing, random pauses. One for all requests of a
/// transfer: as long as bytes come on some connection, the server is there.
/// </summary>
/// <param name="patience">Counted from the first failure since the last byte; zero: nothing is tried again.</param>
/// <param name="time">The clock.</param>
/// <param name="waiting">Is told why it waits; null once bytes come again.</param>
internal sealed class DownloadPatience(TimeSpan patience, TimeProvider time, Action<string?> waiting)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private long? _trouble;

    /// <summary>How often something was tried again.</summary>
    public int Retries { get; private set; }

    /// <summary>
    /// Whether a failure may pass by itself. What the server says of its store's damage and settings does not.
    /// </summary>
    public static bool IsPassing(OperationException e) =>
        e switch
        {
            { ExitCode: ExitCode.Damaged } => false,
            ApiException { Status: HttpStatusCode.InternalServerError } answer => answer.Code
                is null
                    or "internal_error",
            ApiException answer => answer.Status
                is HttpStatusCode.RequestTimeout
                    or HttpStatusCode.TooManyRequests
                    or HttpStatusCode.BadGateway
                    or HttpStatusCode.ServiceUnavailable
                    or HttpStatusCode.GatewayTimeout,
            _ => e.ExitCode == ExitCode.Unreachable,
        };

    /// <summary>Bytes came.</summary>
    public void Moved()
    {
        lock (_lock)
        {
            if (_trouble is null)
                return;
            _trouble = null;
        }

        waiting(null);
    }

    /// <summary>Waits until a request may be tried again.</summary>
    /// <param name="failure">Why it has to be; one that passes.</param>
    /// <param name="failures">How often it failed without bringing anything; from 1.</param>
    /// <exception cref="OperationException">The failure itself: patience is over.</exception>
    public async Task WaitAsync(OperationException failure, int failures, CancellationToken cancellationToken)
    {
        var lasted = Failed();
        if (lasted >= patience)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        var pause = FirstPause * Math.Pow(2, Math.Min(failures - 1, 10));
        // Those who lost the same server must not come back at the same moment.
        pause = (pause < LongestPause ? pause : LongestPause) * (0.5 + Random.Shared.NextDouble());
        waiting($"waiting for the server ({Describe(lasted)}): {failure.Message}");
        await Task.Delay(pause < patience - lasted ? pause : patience - lasted, time, cancellationToken);
    }

    /// <returns>How long nothing has come.</returns>
    private TimeSpan Failed()
    {
        lock (_lock)
        {
            Retries++;
            _trouble ??= time.GetTimestamp();
            return time.GetElapsedTime(_trouble.Value);
        }
    }

    private static string Describe(TimeSpan time) =>
        time.TotalSeconds < 60
            ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0} s")
            : string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0} min");
}
