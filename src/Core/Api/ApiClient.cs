using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
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
    private readonly ServerConnection _server;
    private readonly ApiTransport _transport;

    public ApiClient(ServerConnection server)
        : this(server, SmallRequestTimeout) { }

    /// <param name="smallRequestTimeout">Shorter in tests.</param>
    internal ApiClient(ServerConnection server, TimeSpan smallRequestTimeout)
    {
        _smallRequestTimeout = smallRequestTimeout;
        _server = server;
        _transport = new ApiTransport(server, smallRequestTimeout);
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
        using var response = await _transport.SendForHeadersAsync(request, _smallRequestTimeout, cancellationToken);
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
            using var response = await _transport.SendForHeadersAsync(request, _smallRequestTimeout, cancellationToken);
            if (response.StatusCode == HttpStatusCode.RequestEntityTooLarge)
                throw await _transport.ReadErrorAsync(response, cancellationToken);
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
        _transport.SendTimedAsync(
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
        _transport.SendSmallAsync(
            HttpMethod.Post,
            "upload",
            JsonContent.Create(request, ApiJson.Default.UploadRequest),
            AnswerJson.Types.UploadAnswer,
            cancellationToken
        );

    public Task<ApiAnswer> AbortUploadAsync(string uploadId, CancellationToken cancellationToken) =>
        _transport.SendSmallAsync(
            HttpMethod.Delete,
            UploadPath(uploadId),
            null,
            AnswerJson.Types.ApiAnswer,
            cancellationToken
        );

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
        _transport.SendWatchedAsync(
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
        _transport.SendWatchedAsync(
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
        var response = await _transport.OpenAsync(request, _smallRequestTimeout, cancellationToken);
        return new ResponseBody(
            response,
            await response.Content.ReadAsStreamAsync(cancellationToken),
            "the digests of the stored parts",
            ResponseBody.DefaultIdle
        );
    }

    /// <summary>Completes an upload whose parts are all stored.</summary>
    public Task<UploadStateAnswer> CompleteUploadAsync(
        string uploadId,
        CompleteRequest request,
        CancellationToken cancellationToken
    ) =>
        _transport.SendTimedAsync(
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

        var response = await _transport.SendForHeadersAsync(request, AnswerTimeout, cancellationToken);
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
            throw await _transport.ReadErrorAsync(response, cancellationToken);
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
        return await _transport.OpenAsync(request, AnswerTimeout, cancellationToken);
    }

    /// <summary>Opens a backup's manifest for reading.</summary>
    public async Task<HttpResponseMessage> OpenManifestAsync(SnapshotInfo snapshot, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Get,
            $"snapshots/{Uri.EscapeDataString(snapshot.SnapshotId)}/manifest"
        );
        return await _transport.OpenAsync(request, AnswerTimeout, cancellationToken);
    }

    public void Dispose() => _transport.Dispose();

    private Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        _transport.SendSmallAsync(HttpMethod.Get, path, null, type, cancellationToken);

    private static string UploadPath(string uploadId) => $"upload-stream/{Uri.EscapeDataString(uploadId)}";
}
