using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// Stands between zfs-server and S3, or a client and zfs-server: passes bytes on unchanged, since requests are signed,
/// counts requests by kind, and does to some of them what a bad network or a bad day of S3 does.
/// </summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    private readonly IPEndPoint _upstream;
    private readonly int _port;
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<HttpSide, bool> _sides = new();
    private readonly ConcurrentQueue<S3Request> _requests = new();
    private readonly List<FaultRule> _rules = [];
    private readonly Lock _lock = new();
    private readonly List<Task> _connections = [];
    private TcpListener? _listener;
    private long _throttledUntil;

    public FaultProxy(string upstream)
    {
        _upstream = IPEndPoint.Parse(upstream);
        _listener = new TcpListener(IPAddress.Loopback, 0);
        _listener.Start();
        _port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        Run(AcceptAsync(_listener));
    }

    public string Endpoint => $"127.0.0.1:{_port}";

    /// <summary>Of both directions together; 0: as fast as may be.</summary>
    public int BytesPerSecond { get; set; }

    /// <summary>All since the last <see cref="Forget"/>.</summary>
    public IReadOnlyCollection<S3Request> Requests => _requests;

    /// <summary>The same by kind, as text.</summary>
    public string Counts => CountsWithout("");

    /// <param name="key">Requests for it are left out; empty: none are.</param>
    public string CountsWithout(string key) =>
        string.Join(
            ' ',
            _requests
                .Where(request => key.Length == 0 || !request.Path.EndsWith($"/{key}", StringComparison.Ordinal))
                .CountBy(request => request.Kind)
                .OrderBy(pair => pair.Key)
                .Select(pair => $"{pair.Key}={pair.Value}")
        );

    public int Count(S3Kind kind) => _requests.Count(request => request.Kind == kind);

    public FaultRule Add(Fault fault, Func<S3Request, bool> fits, int skip = 0, int times = 1)
    {
        var rule = new FaultRule(fault, fits, skip, times);
        lock (_lock)
            _rules.Add(rule);
        return rule;
    }

    public FaultRule Add(Fault fault, S3Kind kind, int skip = 0, int times = 1) =>
        Add(fault, request => request.Kind == kind, skip, times);

    /// <summary>Drops all rules and requests.</summary>
    public void Forget()
    {
        lock (_lock)
            _rules.Clear();
        _requests.Clear();
    }

    /// <summary>Nothing listens any more, and what was connected is reset.</summary>
    public void GoAway()
    {
        _listener?.Dispose();
        _listener = null;
        foreach (var side in _sides.Keys)
            side.Reset();
    }

    public void ComeBack()
    {
        _listener = new TcpListener(IPAddress.Loopback, _port);
        _listener.Start();
        Run(AcceptAsync(_listener));
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        GoAway();
        Task[] all;
        lock (_lock)
            all = [.. _connections];
        await Task.WhenAll(all);
        _end.Dispose();
    }

    private void Run(Task task)
    {
        lock (_lock)
            _connections.Add(task);
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true)
                Run(ServeAsync(await listener.AcceptSocketAsync(_end.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It went away.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await Task.Yield();
        socket.NoDelay = true;
        using var client = new HttpSide(socket);
        _sides[client] = true;
        HttpSide? server = null;
        try
        {
            while (await client.ReadHeadAsync(_end.Token) is { } head)
            {
                var request = S3Request.Parse(head);
                _requests.Enqueue(request);
                var fault = FindFault(request);
                if (fault is Fault.ResetBefore)
                    return;
                if (fault is Fault.TooLarge)
                {
                    await client.WriteAsync(PageOf("413 Request Entity Too Large"), _end.Token);
                    await DrainAsync(client, request, mayExpect: false);
                    return;
                }

                if (fault is Fault.Hang)
                {
                    await DrainAsync(client, request);
                    await client.WaitForEndAsync(_end.Token);
                    return;
                }

                if (
                    fault
                    is Fault.SlowDown
                        or Fault.InternalError
                        or Fault.Forbidden
                        or Fault.ErrorInSuccess
                        or Fault.StorageFull
                        or Fault.UploadLost
                        or Fault.UploadReplaced
                )
                {
                    await DrainAsync(client, request);
                    await client.WriteAsync(ErrorOf(fault.Value, request.Method), _end.Token);
                    continue;
                }

                if (server is null)
                    _sides[server = await ConnectAsync()] = true;
                if (!await ForwardAsync(client, server, head, request, fault))
                    return;
            }
        }
        catch (Exception e)
            when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One of the two has gone; so goes the other.
        }
        finally
        {
            client.Reset();
            _sides.TryRemove(client, out _);
            if (server is not null)
            {
                server.Reset();
                _sides.TryRemove(server, out _);
            }
        }
    }

    private Fault? FindFault(S3Request request)
    {
        lock (_lock)
            return _rules.Find(rule => rule.Takes(request))?.Fault;
    }

    private async Task<HttpSide> ConnectAsync()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(_upstream, _end.Token);
        return new HttpSide(socket);
    }

    /// <returns>False where both connections are to end.</returns>
    private async Task<bool> ForwardAsync(
        HttpSide client,
        HttpSide server,
        string head,
        S3Request request,
        Fault? fault
    )
    {
        await server.WriteAsync(head, _end.Token);
        var target = Watched(server, fault is Fault.CorruptBody ? request.BodyLength / 2 : -1);
        var body = request["Transfer-Encoding"] is null
            ? client.CopyAsync(
                fault is Fault.ResetInBody ? request.BodyLength / 2 : request.BodyLength,
                target,
                _end.Token
            )
            : client.CopyChunksAsync(target, _end.Token);
        var answer = ReturnAnswerAsync(client, server, request, fault);
        if (fault is Fault.ResetInBody)
        {
            await body;
            return false;
        }

        // Who refuses a request may answer before all of its body has come.
        return await answer && await Task.WhenAny(body, Task.Delay(200, _end.Token)) == body;
    }

    private async Task<bool> ReturnAnswerAsync(HttpSide client, HttpSide server, S3Request request, Fault? fault)
    {
        string? head;
        while (
            (head = await server.ReadHeadAsync(_end.Token))?.StartsWith("HTTP/1.1 100", StringComparison.Ordinal)
            == true
        )
            await client.WriteAsync(head, _end.Token);
        if (head is null)
            return false;
        if (fault is Fault.LoseAnswer or Fault.HangAfter)
        {
            await server.CopyAnswerBodyAsync(head, request.Method, _ => ValueTask.CompletedTask, _end.Token);
            if (fault is Fault.HangAfter)
                await client.WaitForEndAsync(_end.Token);
            return false;
        }

        await client.WriteAsync(head, _end.Token);
        var length = S3Request.HeaderOf(head.Split("\r\n"), "Content-Length") is { } text
            ? long.Parse(text, CultureInfo.InvariantCulture)
            : 0;
        if (fault is Fault.CutAnswer)
        {
            await server.CopyAsync(length / 2, Watched(client, -1), _end.Token);
            return false;
        }

        await server.CopyAnswerBodyAsync(
            head,
            request.Method,
            Watched(client, fault is Fault.CorruptAnswer ? length / 2 : -1),
            _end.Token
        );
        return true;
    }

    /// <summary>Writes what it is given, at the proxy's speed.</summary>
    /// <param name="corruptAt">The byte to change; less than 0: none.</param>
    private Func<Memory<byte>, ValueTask> Watched(HttpSide target, long corruptAt) =>
        async bytes =>
        {
            if (corruptAt >= 0 && corruptAt < bytes.Length)
                bytes.Span[(int)corruptAt] ^= 1;
            corruptAt -= bytes.Length;
            await target.WriteAsync(bytes, _end.Token);
            await ThrottleAsync(bytes.Length);
        };

    private async Task ThrottleAsync(int bytes)
    {
        if (BytesPerSecond == 0)
            return;
        TimeSpan wait;
        lock (_lock)
        {
            var now = TimeProvider.System.GetTimestamp();
            _throttledUntil =
                Math.Max(_throttledUntil, now) + bytes * TimeProvider.System.TimestampFrequency / BytesPerSecond;
            wait = TimeProvider.System.GetElapsedTime(now, _throttledUntil);
        }

        if (wait > TimeSpan.FromMilliseconds(5))
            await Task.Delay(wait, _end.Token);
    }

    private async Task DrainAsync(HttpSide client, S3Request request, bool mayExpect = true)
    {
        if (request.Expects && mayExpect)
            await client.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n", _end.Token);
        await client.CopyAsync(request.BodyLength, _ => ValueTask.CompletedTask, _end.Token);
    }

    private static string ErrorOf(Fault fault, string method)
    {
        if (fault is Fault.StorageFull)
            return OwnErrorOf("507 Insufficient Storage", "storage_full");
        if (fault is Fault.UploadLost)
            return OwnErrorOf("409 Conflict", "upload_lost");
        if (fault is Fault.UploadReplaced)
            return OwnErrorOf("409 Conflict", "upload_replaced");
        var (status, code) = fault switch
        {
            Fault.SlowDown => ("503 Slow Down", "SlowDown"),
            Fault.InternalError => ("500 Internal Server Error", "InternalError"),
            Fault.Forbidden => ("403 Forbidden", "AccessDenied"),
            _ => ("200 OK", "InternalError"),
        };
        var body =
            method == "HEAD"
                ? ""
                : $"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>By the "
                    + "test.</Message><RequestId>1</RequestId></Error>";
        return $"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {body.Length}\r\n\r\n{body}";
    }

    private static string PageOf(string status)
    {
        var body = $"<html><head><title>{status}</title></head><body><center>nginx</center></body></html>";
        return $"HTTP/1.1 {status}\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: {body.Length}\r\n"
            + $"Connection: close\r\n\r\n{body}";
    }

    /// <summary>An error of zfs-server.</summary>
    private static string OwnErrorOf(string status, string code)
    {
        var body = $$"""{"success":false,"message":"By the test.","status":{{status[..3]}},"code":"{{code}}"}""";
        return $"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";
    }
}
