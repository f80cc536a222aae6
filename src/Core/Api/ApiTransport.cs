using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// Sends requests to zfs-server and reads its answers: who asks, how long it waits, and what becomes of connections
/// that fail. <see cref="ApiClient"/> knows the endpoints. Safe for use by several threads.
/// </summary>
internal sealed class ApiTransport : IDisposable
{
    /// <summary>In bytes. An error is a few texts.</summary>
    private const long MaxErrorLength = 1024 * 1024;

    private readonly TimeSpan _smallRequestTimeout;
    private readonly HttpClient _http;
    private readonly ServerConnection _server;

    /// <param name="smallRequestTimeout">For requests without a stream: how long an answer may take to begin, and how
    /// long it may pause.</param>
    public ApiTransport(ServerConnection server, TimeSpan smallRequestTimeout)
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

    public void Dispose() => _http.Dispose();

    public Task<T> SendSmallAsync<T>(
        HttpMethod method,
        string path,
        HttpContent? content,
        JsonTypeInfo<T> type,
        CancellationToken cancellationToken
    ) => SendTimedAsync(method, path, content, type, _smallRequestTimeout, cancellationToken);

    public async Task<T> SendTimedAsync<T>(
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

    public async Task<T> SendWatchedAsync<T>(
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

    /// <summary>Opens an answer whose body is a stream.</summary>
    /// <exception cref="ApiException">It is an error.</exception>
    public async Task<HttpResponseMessage> OpenAsync(
        HttpRequestMessage request,
        TimeSpan patience,
        CancellationToken cancellationToken
    )
    {
        var response = await SendForHeadersAsync(request, patience, cancellationToken);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
            throw await ReadErrorAsync(response, cancellationToken);
    }

    public async Task<HttpResponseMessage> SendForHeadersAsync(
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

    public async Task<OperationException> ReadErrorAsync(
        HttpResponseMessage response,
        CancellationToken cancellationToken
    )
    {
        ApiError? error = null;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(_smallRequestTimeout);
        try
        {
            error = await AnswerJson.ReadAsync(
                response.Content,
                AnswerJson.Types.ApiError,
                moved: null,
                timeout.Token,
                MaxErrorLength
            );
        }
        catch (Exception e) when (e is JsonException or InvalidDataException or HttpRequestException or IOException)
        {
            // Not an answer of zfs-server (a page of a proxy, for example): only the status is known.
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It does not end: only the status is known.
        }

        var failure = error is null
            ? ForeignAnswer.Describe(_server.ServerUrl, response)
            : ApiException.Of(response.StatusCode, error);
        failure.RetryAfter = response.Headers.RetryAfter?.Delta;
        return failure;
    }

    private static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;
}
