using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Amazon.Util;
using Polly;
using Polly.Retry;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>
/// Sends requests to S3. An attempt fails if no byte is transferred for a while; transient failures are retried with
/// growing, random pauses until <see cref="S3Settings.RetryTime"/> is over. The SDK's own retries are off: they count
/// attempts, and wait for responses without a limit.
/// </summary>
internal sealed partial class S3Connection : IDisposable
{
    private const int SendBufferSize = 128 * 1024; // the SDK's default of 8 KiB costs half as much processor time again

    /// <summary>
    /// The SDK learns S3's clock from each response and signs the next request by it: one more attempt should suffice
    /// (docs/decisions/0017).
    /// </summary>
    private const int AttemptsByWrongClock = 3;

    private static readonly ResiliencePropertyKey<long> Started = new("started");
    private static readonly ResiliencePropertyKey<string> What = new("what");

    private readonly AmazonS3Client _client;
    private readonly S3HttpClients _http;
    private readonly ResiliencePipeline _retries;
    private readonly TimeProvider _time;
    private readonly ILogger<S3Connection> _logger;

    public S3Connection(S3Settings settings, TimeProvider time, ILogger<S3Connection> logger)
    {
        (Settings, _time, _logger) = (settings, time, logger);
        _http = new S3HttpClients(settings);
        _client = S3Credentials.CreateClient(
            settings,
            new AmazonS3Config
            {
                ServiceURL = settings.Endpoint.ToString(),
                AuthenticationRegion = settings.Region,
                ForcePathStyle = settings.PathStyle,
                // By default AWSSDK v4 adds CRC trailers (aws-chunked), which many services refuse or store as data:
                // github.com/aws/aws-sdk-net/issues/3610. Payloads are signed by their SHA-256, which nearly all check.
                RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
                ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
                MaxErrorRetry = 0,
                Timeout = Timeout.InfiniteTimeSpan,
                BufferSize = SendBufferSize,
                HttpClientFactory = _http,
                DisableClockSkewCorrection = false,
            }
        );
        _client.BeforeRequestEvent += SignByKnownDigest;
        _client.AfterResponseEvent += NoteClock;
        _retries = new ResiliencePipelineBuilder()
            .AddRetry(
                new RetryStrategyOptions
                {
                    MaxRetryAttempts = int.MaxValue,
                    BackoffType = DelayBackoffType.Exponential,
                    UseJitter = true,
                    Delay = TimeSpan.FromMilliseconds(250),
                    MaxDelay = TimeSpan.FromSeconds(15),
                    ShouldHandle = attempt =>
                        ValueTask.FromResult(
                            attempt.Outcome.Exception is { } e
                                && MayHelp(e, attempt.AttemptNumber)
                                && Elapsed(attempt.Context) < settings.RetryTime
                        ),
                    OnRetry = attempt =>
                    {
                        LogRetry(
                            attempt.Context.Properties.GetValue(What, ""),
                            S3Errors.Describe(attempt.Outcome.Exception!, time.GetUtcNow()),
                            attempt.RetryDelay.TotalSeconds
                        );
                        return ValueTask.CompletedTask;
                    },
                }
            )
            .Build();
    }

    public S3Settings Settings { get; }

    /// <summary>
    /// How far this machine's clock is ahead of S3's, by the Date of the last response, to the second; null before the
    /// first one.
    /// </summary>
    public TimeSpan? ClockDifference { get; private set; }

    /// <summary>Sends a request, and retries it if that may help.</summary>
    /// <param name="what">What it does, for messages: <c>store web1/a.zfs</c>.</param>
    /// <param name="send">Sends it once.</param>
    /// <exception cref="StorageException">It failed permanently.</exception>
    public async Task<T> SendAsync<T>(
        string what,
        Func<AmazonS3Client, S3Attempt, Task<T>> send,
        CancellationToken cancellationToken
    )
    {
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        context.Properties.Set(Started, _time.GetTimestamp());
        context.Properties.Set(What, what);
        try
        {
            return await _retries.ExecuteAsync(
                static (c, state) => state.This.SendOnceAsync(state.send, c.CancellationToken),
                context,
                (This: this, send)
            );
        }
        catch (Exception e)
            when (e is not (StorageException or OutOfMemoryException) && !cancellationToken.IsCancellationRequested)
        {
            throw S3Errors.Explain(what, e, Settings, Elapsed(context), _time.GetUtcNow());
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    /// <summary>
    /// Sends a request that may be refused with an error that is otherwise transient; it is not retried.
    /// </summary>
    public async Task<T> SendDoubtfulAsync<T>(
        Func<AmazonS3Client, S3Attempt, Task<T>> send,
        CancellationToken cancellationToken
    ) => await SendOnceAsync(send, cancellationToken);

    /// <summary>Sends a request whose body is changed after it was signed, as a bad cable or memory would.</summary>
    public async Task<T> SendCorruptedAsync<T>(
        Func<AmazonS3Client, S3Attempt, Task<T>> send,
        CancellationToken cancellationToken
    )
    {
        using (_http.CorruptBodies())
            return await SendOnceAsync(send, cancellationToken);
    }

    public void Dispose()
    {
        _client.Dispose();
        _http.Dispose();
    }

    private static bool MayHelp(Exception e, int attempt) =>
        S3Errors.IsTransient(e) || (S3Errors.IsWrongClock(e) && attempt < AttemptsByWrongClock);

    /// <summary>
    /// The SDK uses the payload digest in the headers if it is set. Otherwise it would digest every part a second time.
    /// </summary>
    private static void SignByKnownDigest(object sender, RequestEventArgs e)
    {
        if (
            e is WebServiceRequestEventArgs { Request: UploadPartRequest part } request
            && S3Attempt.DigestOf(part.InputStream) is { } sha256
        )
            request.Headers[HeaderKeys.XAmzContentSha256Header] = sha256;
    }

    private void NoteClock(object sender, ResponseEventArgs e)
    {
        if (
            e is WebServiceResponseEventArgs answer
            && answer.ResponseHeaders.TryGetValue(HeaderKeys.DateHeader, out var date)
            && S3Errors.TryReadDate(date, out var theirs)
        )
            ClockDifference = _time.GetUtcNow() - theirs;
    }

    private TimeSpan Elapsed(ResilienceContext context) =>
        _time.GetElapsedTime(context.Properties.GetValue(Started, 0));

    private async ValueTask<T> SendOnceAsync<T>(
        Func<AmazonS3Client, S3Attempt, Task<T>> send,
        CancellationToken cancellationToken
    )
    {
        using var attempt = new S3Attempt(Settings.IdleTimeout, cancellationToken);
        try
        {
            return await send(_client, attempt);
        }
        catch (Exception e) when (attempt.TimedOut)
        {
            throw new TimeoutException($"nothing was transferred for {Settings.IdleTimeout.TotalSeconds:0} s", e);
        }
    }

    [LoggerMessage(LogLevel.Warning, "S3 did not {What}: {Reason}; the next attempt is in {Seconds:0.0} s")]
    private partial void LogRetry(string what, string reason, double seconds);
}
