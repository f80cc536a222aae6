using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Trust;

/// <summary>
/// Stands between a program and a real server, and changes one thing in what the server answers: a field of a JSON
/// answer, or the whole answer.
/// </summary>
internal sealed class LyingServer : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly HttpClient _upstream;
    private readonly ConcurrentDictionary<string, JsonNode> _honest = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<Task> _requests = [];
    private readonly Task _accepting;
    private ServerLie? _lie;
    private bool _isTold;

    public LyingServer(int upstreamPort)
    {
        _upstream = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{upstreamPort}") };
        Port = LocalHttp.Listen(_listener);
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>The last honest answer to each kind of request, such as <c>PUT upload-stream/*/parts/*</c>.</summary>
    public IReadOnlyDictionary<string, JsonNode> Honest => _honest;

    /// <summary>What becomes of the bodies of answers, by kind of request, besides the lie.</summary>
    public Dictionary<string, Func<byte[], byte[]>> Changes { get; } = new(StringComparer.Ordinal);

    /// <summary>Tells a lie from now on; null: is honest.</summary>
    /// <returns>Whether the lie before was told: its request came, and its answer had the field.</returns>
    public bool Tell(ServerLie? lie)
    {
        var wasTold = _isTold;
        (_lie, _isTold) = (lie, false);
        return wasTold;
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _accepting;
        await Task.WhenAll(_requests);
        _upstream.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                var context = await _listener.GetContextAsync();
                _requests.Add(AnswerAsync(context));
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        await Task.Yield();
        try
        {
            using var answer = await ForwardAsync(context.Request);
            var body = await answer.Content.ReadAsByteArrayAsync();
            var status = (int)answer.StatusCode;
            var isJson = answer.Content.Headers.ContentType?.MediaType == "application/json";
            if (Changes.TryGetValue(KindOf(context.Request), out var change))
                body = change(body);
            if (isJson)
                (status, body) = Change(KindOf(context.Request), status, body);
            context.Response.StatusCode = status;
            foreach (var (name, values) in answer.Content.Headers.Concat(answer.Headers))
            {
                if (name is not ("Content-Length" or "Transfer-Encoding" or "Date" or "Server" or "Connection"))
                    context.Response.Headers[name] = string.Join(", ", values);
            }

            context.Response.ContentLength64 = body.Length;
            await context.Response.OutputStream.WriteAsync(body);
            context.Response.Close();
        }
        catch (Exception e) when (e is HttpListenerException || BrokenConnection.Is(e))
        {
            context.Response.Abort(); // the client has gone, or the server
        }
    }

    private (int Status, byte[] Body) Change(string kind, int status, byte[] body)
    {
        var node = JsonNode.Parse(body)!;
        if (status < 300)
            _honest[kind] = node.DeepClone();
        if (_lie is not { } lie || lie.Kind != kind)
            return (status, body);
        if (lie.Answer is { } whole)
        {
            _isTold = true;
            return whole;
        }

        if (!lie.Field!.Tell(node))
            return (status, body);
        _isTold = true;
        return (status, System.Text.Encoding.UTF8.GetBytes(node.ToJsonString()));
    }

    private async Task<HttpResponseMessage> ForwardAsync(HttpListenerRequest request)
    {
        using var message = new HttpRequestMessage(new HttpMethod(request.HttpMethod), request.RawUrl);
        if (request.HasEntityBody)
        {
            using var body = new MemoryStream();
            await request.InputStream.CopyToAsync(body);
            message.Content = new ByteArrayContent(body.ToArray());
        }

        foreach (var name in request.Headers.AllKeys.OfType<string>())
        {
            if (name is "Host" or "Content-Length" or "Expect" or "Connection" or "Transfer-Encoding")
                continue;
            if (!message.Headers.TryAddWithoutValidation(name, request.Headers[name]))
                message.Content?.Headers.TryAddWithoutValidation(name, request.Headers[name]);
        }

        return await _upstream.SendAsync(message);
    }

    /// <summary>Method and path, with a star for what is another in each run.</summary>
    private static string KindOf(HttpListenerRequest request)
    {
        var words = request.Url!.AbsolutePath.Trim('/').Split('/');
        for (var i = 1; i < words.Length; i++)
        {
            if (words[i - 1] is "upload-stream" or "parts" or "snapshots")
                words[i] = "*";
        }

        return $"{request.HttpMethod} {string.Join('/', words)}";
    }
}

/// <summary>What becomes of the answers to one kind of request.</summary>
/// <param name="Kind">The kind, as in <see cref="LyingServer.Honest"/>.</param>
/// <param name="Field">The field that changes; null if the whole answer does.</param>
/// <param name="Answer">Status and body in place of the honest ones.</param>
internal sealed record ServerLie(string Kind, Lie? Field, (int Status, byte[] Body)? Answer = null, string? Name = null)
{
    public override string ToString() => $"{Kind}: {Field?.ToString() ?? Name}";

    /// <summary>Lies about the answers that an honest run gets: each field of each, and whole answers.</summary>
    public static IEnumerable<ServerLie> About(IReadOnlyDictionary<string, JsonNode> honest) =>
        honest
            .OrderBy(answer => answer.Key, StringComparer.Ordinal)
            .SelectMany(answer =>
                Lie.About(answer.Value)
                    .Select(lie => new ServerLie(answer.Key, lie))
                    .Concat(Refusals.Select(refusal => Refuse(answer.Key, refusal.Status, refusal.Code)))
                    .Append(new ServerLie(answer.Key, null, (200, []), "an empty answer"))
                    .Append(new ServerLie(answer.Key, null, (200, "[1,2"u8.ToArray()), "half an answer"))
                    .Append(new ServerLie(answer.Key, null, (302, []), "elsewhere"))
            );

    private static (int Status, string Code)[] Refusals { get; } =
    [
        (400, "invalid_request"),
        (401, "unauthorized"),
        (404, "not_found"),
        (409, "snapshot_exists"),
        (409, "receive_interrupted"),
        (409, "base_missing"),
        (422, "stream_invalid"),
        (429, "too_many_uploads"),
        (500, "internal_error"),
        (503, "shutting_down"),
        (507, "quota_exceeded"),
    ];

    private static ServerLie Refuse(string kind, int status, string code)
    {
        var error = new JsonObject
        {
            ["success"] = false,
            ["message"] = "a lie\e[2J\r\nBacked up everything.",
            ["status"] = status,
            ["code"] = code,
            ["remedy"] = "\u009b1mnone",
        };
        return new ServerLie(
            kind,
            null,
            (status, System.Text.Encoding.UTF8.GetBytes(error.ToJsonString())),
            $"{status} {code}"
        );
    }
}
