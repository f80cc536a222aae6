using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// The HTTP client of zfs-server. Every failure is an <see cref="OperationException"/> whose exit code tells whether
/// the network, the server or the request failed. Safe for use by several threads.
/// </summary>
public sealed class ApiClient : IDisposable
{
    /// <summary>
    /// For requests without a stream: how long an answer may take to begin, and how long it may pause. Like a transfer
    /// it has no total timeout: the list of 50,000 backups has 35 MB, and may come over a slow line.
    /// </summary>
    private static readonly TimeSpan SmallRequestTimeout = TimeSpan.FromSeconds(60);

    /// <summary>
    /// For answers before which the server works on its store: it commits, deletes, or reads the first part.
    /// </summary>
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(300);

    private readonly TimeSpan _smallRequestTimeout;
    private readonly HttpClient _http;
    private readonly ServerConnection _server;

    public ApiClient(ServerConnection server)
        : this(server, SmallRequestTimeout) { }

    /// <param name="smallRequestTimeout">Shorter in tests.</param>
    internal ApiClient(ServerConnection server, TimeSpan smallRequestTimeout)
    {
        _smallRequestTimeout = smallRequestTimeout;
        _server = server;
        var authorities = server.CaFile is { } file ? CertificateAuthorities.Read("TLS_CA_FILE", file) : null;
        var certificate = new ServerCertificate(server.ServerUrl, authorities);
        _http = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false, // a redirect would send the key to a server that nobody configured
                ConnectTimeout = TimeSpan.FromSeconds(20),
                AutomaticDecompression = DecompressionMethods.None,
                ConnectCallback = WatchedConnection.ConnectAsync,
                SslOptions = { RemoteCertificateValidationCallback = certificate.Check },
            }
        )
        {
            BaseAddress = server.ServerUrl,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.Add("X-Client-ID", server.ClientId);
        _http.DefaultRequestHeaders.Add("X-API-Key", server.ApiKey.Reveal());
        _http.DefaultRequestHeaders.UserAgent.Add(
            new ProductInfoHeaderValue(
                "zfs-snapshot-manager",
                Assembly.GetExecutingAssembly().GetName().Version?.ToString(3)
            )
        );
    }

    public async Task<IReadOnlyList<SnapshotInfo>> GetSnapshotsAsync(CancellationToken cancellationToken) =>
        (await GetSnapshotsAsync(storageType: null, cancellationToken)).Snapshots;

    /// <param name="storageType">Where the next backup will be stored, which decides what can be its base; null: where
    /// the server stores the client's backups.</param>
    public Task<SnapshotsAnswer> GetSnapshotsAsync(string? storageType, CancellationToken cancellationToken) =>
        GetAsync(
            storageType is null ? "snapshots" : $"snapshots?storage_type={storageType}",
            AnswerJson.Types.SnapshotsAnswer,
            cancellationToken
        );

    /// <summary>The server's clock, to the second; null if the answer has no Date header.</summary>
    public async Task<DateTimeOffset?> GetTimeAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "health");
        using var response = await SendForHeadersAsync(request, SmallRequestTimeout, cancellationToken);
        return response.Headers.Date;
    }

    /// <summary>
    /// Checks that a request with a body of this size gets through to the server; no byte of the body is sent.
    /// </summary>
    /// <exception cref="ApiException">A proxy on the way refuses it (413).</exception>
    public async Task CheckBodySizeAsync(long bytes, CancellationToken cancellationToken)
    {
        using var content = new UnsentContent(bytes);
        using var request = new HttpRequestMessage(HttpMethod.Put, $"{UploadPath("none")}/parts/1")
        {
            Content = content,
        };
        request.Headers.ExpectContinue = true;
        try
        {
            using var response = await SendForHeadersAsync(request, SmallRequestTimeout, cancellationToken);
            if (response.StatusCode == HttpStatusCode.RequestEntityTooLarge)
                throw await ReadErrorAsync(response, cancellationToken);
        }
        catch (UnsentContent.WantedException)
        {
            // Somebody waits for the body, so its size is no obstacle.
        }
    }

    public Task<StatusAnswer> GetStatusAsync(CancellationToken cancellationToken) =>
        GetAsync("status", AnswerJson.Types.StatusAnswer, cancellationToken);

    public Task<RotationPolicyAnswer> GetRotationPolicyAsync(CancellationToken cancellationToken) =>
        GetAsync("rotation-policy", AnswerJson.Types.RotationPolicyAnswer, cancellationToken);

    /// <summary>Rotates the backups. The timeout is long: the server deletes in its store before it answers.</summary>
    public Task<RotateAnswer> RotateAsync(RotateRequest request, CancellationToken cancellationToken) =>
        SendTimedAsync(
            HttpMethod.Post,
            "rotate",
            JsonContent.Create(request, ApiJson.Default.RotateRequest),
            AnswerJson.Types.RotateAnswer,
            AnswerTimeout,
            cancellationToken
        );

    public Task<UploadStateAnswer> GetUploadAsync(string uploadId, CancellationToken cancellationToken) =>
        GetAsync(UploadPath(uploadId), AnswerJson.Types.UploadStateAnswer, cancellationToken);

    public Task<UploadAnswer> RequestUploadAsync(UploadRequest request, CancellationToken cancellationToken) =>
        SendSmallAsync(
            HttpMethod.Post,
            "upload",
            JsonContent.Create(request, ApiJson.Default.UploadRequest),
            AnswerJson.Types.UploadAnswer,
            cancellationToken
        );

    public Task<ApiAnswer> AbortUploadAsync(string uploadId, CancellationToken cancellationToken) =>
        SendSmallAsync(HttpMethod.Delete, UploadPath(uploadId), null, AnswerJson.Types.ApiAnswer, cancellationToken);

    /// <summary>The uploads of this client that are not committed.</summary>
    public Task<UploadsAnswer> GetUploadsAsync(CancellationToken cancellationToken) =>
        GetAsync("uploads", AnswerJson.Types.UploadsAnswer, cancellationToken);

    /// <summary>Sends the whole stored stream in one body.</summary>
    public Task<UploadStateAnswer> UploadStreamAsync(
        string uploadId,
        HttpContent stream,
        TransferWatch watch,
        CancellationToken cancellationToken
    ) =>
        SendWatchedAsync(
            HttpMethod.Post,
            UploadPath(uploadId),
            stream,
            AnswerJson.Types.UploadStateAnswer,
            watch,
            cancellationToken
        );

    /// <summary>Sends one part of the stored stream.</summary>
    /// <param name="number">From 1.</param>
    /// <param name="part">The content, with the headers for its digest and offset.</param>
    public Task<PartAnswer> UploadPartAsync(
        string uploadId,
        int number,
        HttpContent part,
        TransferWatch watch,
        CancellationToken cancellationToken
    ) =>
        SendWatchedAsync(
            HttpMethod.Put,
            $"{UploadPath(uploadId)}/parts/{number}",
            part,
            AnswerJson.Types.PartAnswer,
            watch,
            cancellationToken
        );

    /// <summary>Opens the digests of an upload's parts before its first missing one, 32 bytes each.</summary>
    /// <returns>Reading fails with <see cref="OperationException"/> if the connection breaks.</returns>
    public async Task<Stream> OpenPartDigestsAsync(string uploadId, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{UploadPath(uploadId)}/part-digests");
        var response = await SendForHeadersAsync(request, SmallRequestTimeout, cancellationToken);
        if (response.IsSuccessStatusCode)
            return new ResponseBody(
                response,
                await response.Content.ReadAsStreamAsync(cancellationToken),
                "the digests of the stored parts",
                ResponseBody.DefaultIdle
            );
        using (response)
            throw await ReadErrorAsync(response, cancellationToken);
    }

    /// <summary>Completes an upload whose parts are all stored.</summary>
    public Task<UploadStateAnswer> CompleteUploadAsync(
        string uploadId,
        CompleteRequest request,
        CancellationToken cancellationToken
    ) =>
        SendTimedAsync(
            HttpMethod.Post,
            $"{UploadPath(uploadId)}/complete",
            JsonContent.Create(request, ApiJson.Default.CompleteRequest),
            AnswerJson.Types.UploadStateAnswer,
            AnswerTimeout,
            cancellationToken
        );

    /// <summary>
    /// Opens a backup's stored bytes for reading. The timeout is long: the server reads a whole part from its store
    /// before it answers.
    /// </summary>
    /// <param name="snapshot">The backup.</param>
    /// <param name="offset">Of the first byte.</param>
    /// <param name="length">How many bytes; null for all from there on.</param>
    public async Task<HttpResponseMessage> DownloadAsync(
        SnapshotInfo snapshot,
        long offset,
        long? length,
        CancellationToken cancellationToken
    )
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Get,
            $"download?snapshot_id={Uri.EscapeDataString(snapshot.SnapshotId)}"
        );
        var isPart = offset > 0 || length is not null;
        if (isPart)
        {
            request.Headers.Range = new RangeHeaderValue(offset, offset + length - 1);
            // Bytes of another backup must not be mixed in.
            request.Headers.IfMatch.Add(new EntityTagHeaderValue($"\"{snapshot.PartsSha256}\""));
        }

        var response = await SendForHeadersAsync(request, AnswerTimeout, cancellationToken);
        if (
            response.StatusCode == (isPart ? HttpStatusCode.PartialContent : HttpStatusCode.OK)
            && (length is null || response.Content.Headers.ContentLength == length)
        )
            return response;
        using (response)
        {
            if (response.IsSuccessStatusCode)
                throw new OperationException(
                    ExitCode.ServerFailed,
                    $"{_server.ServerUrl} answered {(int)response.StatusCode} with "
                        + $"{response.Content.Headers.ContentLength?.ToString(CultureInfo.InvariantCulture) ?? "some"} "
                        + $"bytes to a request for a part of {snapshot.SnapshotId}.",
                    "Check SERVER_URL and any proxy on the way."
                );
            throw await ReadErrorAsync(response, cancellationToken);
        }
    }

    /// <summary>Opens the stream of a backup in the server's ZFS, which sends it while it is read.</summary>
    /// <param name="token">The resume token of the local ZFS; null: from the start.</param>
    public async Task<HttpResponseMessage> DownloadLiveAsync(
        SnapshotInfo snapshot,
        string? token,
        CancellationToken cancellationToken
    )
    {
        var rest = token is null ? "" : $"&resume_token={Uri.EscapeDataString(token)}";
        using var request = new HttpRequestMessage(
            HttpMethod.Get,
            $"download?snapshot_id={Uri.EscapeDataString(snapshot.SnapshotId)}{rest}"
        );
        var response = await SendForHeadersAsync(request, AnswerTimeout, cancellationToken);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
            throw await ReadErrorAsync(response, cancellationToken);
    }

    /// <summary>Opens a backup's manifest for reading.</summary>
    public async Task<HttpResponseMessage> OpenManifestAsync(SnapshotInfo snapshot, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Get,
            $"snapshots/{Uri.EscapeDataString(snapshot.SnapshotId)}/manifest"
        );
        var response = await SendForHeadersAsync(request, AnswerTimeout, cancellationToken);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
            throw await ReadErrorAsync(response, cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    private Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        SendSmallAsync(HttpMethod.Get, path, null, type, cancellationToken);

    private static string UploadPath(string uploadId) => $"upload-stream/{Uri.EscapeDataString(uploadId)}";

    private Task<T> SendSmallAsync<T>(
        HttpMethod method,
        string path,
        HttpContent? content,
        JsonTypeInfo<T> type,
        CancellationToken cancellationToken
    ) => SendTimedAsync(method, path, content, type, _smallRequestTimeout, cancellationToken);

    private async Task<T> SendTimedAsync<T>(
        HttpMethod method,
        string path,
        HttpContent? content,
        JsonTypeInfo<T> type,
        TimeSpan patience,
        CancellationToken cancellationToken
    )
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(patience);
        var hasBegun = false;
        try
        {
            return await SendAsync(method, path, content, type, Moved, timeout.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unreachable(
                hasBegun
                    ? $"sent nothing of its answer for {_smallRequestTimeout.TotalSeconds} s"
                    : $"did not answer within {patience.TotalSeconds} s",
                e
            );
        }

        void Moved()
        {
            hasBegun = true;
            timeout.CancelAfter(_smallRequestTimeout);
        }
    }

    private async Task<T> SendWatchedAsync<T>(
        HttpMethod method,
        string path,
        HttpContent content,
        JsonTypeInfo<T> type,
        TransferWatch watch,
        CancellationToken cancellationToken
    )
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, watch.Token);
        try
        {
            return await SendAsync(method, path, content, type, null, either.Token);
        }
        catch (Exception e) when (watch.Token.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw Unreachable(watch.Reason, e);
        }
    }

    private async Task<T> SendAsync<T>(
        HttpMethod method,
        string path,
        HttpContent? content,
        JsonTypeInfo<T> type,
        Action? moved,
        CancellationToken cancellationToken
    )
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using var response = await SendForHeadersAsync(request, cancellationToken);
        if (!response.IsSuccessStatusCode)
            throw await ReadErrorAsync(response, cancellationToken);
        try
        {
            return await AnswerJson.ReadAsync(response.Content, type, moved, cancellationToken);
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            throw ForeignAnswer.DescribeBody(_server.ServerUrl, response, e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw Unreachable($"broke off its answer: {e.Message}", e);
        }
    }

    private async Task<HttpResponseMessage> SendForHeadersAsync(
        HttpRequestMessage request,
        TimeSpan patience,
        CancellationToken cancellationToken
    )
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(patience);
        try
        {
            return await SendForHeadersAsync(request, timeout.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unreachable($"did not answer within {patience.TotalSeconds} s", e);
        }
    }

    private async Task<HttpResponseMessage> SendForHeadersAsync(
        HttpRequestMessage request,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (SocketException e)
        {
            // .NET asks a new connection for its remote address, and does not handle that it was reset by then
            // (HttpConnectionPool.ConnectAsync): the SocketException is not wrapped in an HttpRequestException.
            throw Unreachable($"broke the connection: {e.Message}", e);
        }
        catch (HttpRequestException e)
        {
            // An exception of the code that sends the body is the cause; the broken request only follows from it.
            if (e.InnerException is OperationException or SendStream.SendStreamException)
                throw e.InnerException;
            if (e.HttpRequestError == HttpRequestError.SecureConnectionError)
                throw NotSecure(e);
            throw Unreachable(
                e.HttpRequestError == HttpRequestError.ConnectionError
                    ? $"cannot be reached: {e.Message}"
                    : $"broke the connection: {Innermost(e).Message}",
                e
            );
        }
    }

    private OperationException Unreachable(string what, Exception e) =>
        new(
            ExitCode.Unreachable,
            $"The server at {_server.ServerUrl} {what}",
            "Check SERVER_URL, that zfs-server runs there, and the network between; then run the command again.",
            e
        );

    private OperationException NotSecure(HttpRequestException e) =>
        new(
            ExitCode.Unreachable,
            $"The server at {_server.ServerUrl} does not speak TLS as expected: {Innermost(e).Message}",
            "Check SERVER_URL: http:// for a server without TLS, https:// for one behind a TLS proxy, and the port.",
            e
        );

    private async Task<OperationException> ReadErrorAsync(
        HttpResponseMessage response,
        CancellationToken cancellationToken
    )
    {
        ApiError? error = null;
        try
        {
            error = await AnswerJson.ReadAsync(response.Content, AnswerJson.Types.ApiError, null, cancellationToken);
        }
        catch (Exception e) when (e is JsonException or InvalidDataException or HttpRequestException or IOException)
        {
            // Not an answer of zfs-server (a page of a proxy, for example): only the status is known.
        }

        var failure = error is null
            ? ForeignAnswer.Describe(_server.ServerUrl, response)
            : ToException(response.StatusCode, error);
        failure.RetryAfter = response.Headers.RetryAfter?.Delta;
        return failure;
    }

    /// <summary>Converts an error of the server to an exception with its exit code.</summary>
    public static ApiException ToException(HttpStatusCode status, ApiError error)
    {
        var exitCode = status switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ExitCode.AccessDenied,
            HttpStatusCode.NotFound => ExitCode.NotFound,
            HttpStatusCode.RequestTimeout => ExitCode.Unreachable,
            HttpStatusCode.Conflict => ExitCode.Conflict,
            HttpStatusCode.UnprocessableEntity => ExitCode.Damaged,
            HttpStatusCode.InsufficientStorage => ExitCode.NoSpace,
            >= HttpStatusCode.InternalServerError => ExitCode.ServerFailed,
            _ => ExitCode.Failure,
        };
        if (error.Code is "too_many_failures")
            exitCode = ExitCode.AccessDenied;
        if (error.Code is "object_missing" or "object_damaged")
            exitCode = ExitCode.Damaged;
        return new ApiException(exitCode, status, error.Code, $"The server refused: {error.Message}", error.Remedy);
    }

    private static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;
}
