using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// One end of a connection of <see cref="FaultProxy"/>: bytes as they come, and as much of HTTP/1.1 as tells where a
/// message ends.
/// </summary>
internal sealed class HttpSide(Socket socket) : IDisposable
{
    private readonly byte[] _buffer = new byte[256 * 1024];
    private int _start;
    private int _end;

    /// <returns>A head up to and with its empty line; null where the connection ended before.</returns>
    public async Task<string?> ReadHeadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8) is var found and >= 0)
            {
                var head = Encoding.Latin1.GetString(_buffer, _start, found + 4);
                _start += found + 4;
                return head;
            }

            if (!await FillAsync(cancellationToken))
                return null;
        }
    }

    /// <summary>Hands on bytes as they come.</summary>
    /// <param name="length">How many; fewer where the connection ends.</param>
    public async Task CopyAsync(long length, Func<Memory<byte>, ValueTask> target, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            if (_start == _end && !await FillAsync(cancellationToken))
                throw new IOException("The connection ended within a body.");
            var count = (int)Math.Min(length, _end - _start);
            await target(_buffer.AsMemory(_start, count));
            _start += count;
            length -= count;
        }
    }

    /// <summary>Hands on an answer's body, however its end is told.</summary>
    public async Task CopyAnswerBodyAsync(
        string head,
        string method,
        Func<Memory<byte>, ValueTask> target,
        CancellationToken cancellationToken
    )
    {
        var lines = head.Split("\r\n");
        var status = int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture);
        if (method == "HEAD" || status is 204 or 304)
            return;
        if (S3Request.HeaderOf(lines, "Content-Length") is { } length)
        {
            await CopyAsync(long.Parse(length, CultureInfo.InvariantCulture), target, cancellationToken);
            return;
        }

        if (S3Request.HeaderOf(lines, "Transfer-Encoding") is null)
            throw new IOException("The answer does not say where it ends.");
        await CopyChunksAsync(target, cancellationToken);
    }

    /// <summary>Copies a body of chunks, as they are.</summary>
    public async Task CopyChunksAsync(Func<Memory<byte>, ValueTask> target, CancellationToken cancellationToken)
    {
        long size;
        do
        {
            var line = await ReadLineAsync(cancellationToken);
            size = long.Parse(line.Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            await target(Encoding.Latin1.GetBytes(line + "\r\n"));
            await CopyAsync(size + 2, target, cancellationToken);
        } while (size > 0);
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await socket.SendAsync(bytes, cancellationToken)..];
    }

    public ValueTask WriteAsync(string text, CancellationToken cancellationToken) =>
        WriteAsync(Encoding.Latin1.GetBytes(text), cancellationToken);

    /// <summary>Waits until the other side ends the connection.</summary>
    public async Task WaitForEndAsync(CancellationToken cancellationToken)
    {
        do _start = _end = 0;
        while (await FillAsync(cancellationToken));
    }

    /// <summary>Ends as a crashed machine's connection does.</summary>
    public void Reset()
    {
        try
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
            socket.Close();
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // It has ended by itself in this moment.
        }
    }

    public void Dispose() => socket.Dispose();

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        int found;
        while ((found = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8)) < 0)
        {
            if (!await FillAsync(cancellationToken))
                throw new IOException("The connection ended within a body.");
        }

        var line = Encoding.Latin1.GetString(_buffer, _start, found);
        _start += found + 2;
        return line;
    }

    private async Task<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start == _end)
            _start = _end = 0;
        if (_end == _buffer.Length)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        var count = await socket.ReceiveAsync(_buffer.AsMemory(_end), cancellationToken);
        _end += count;
        return count > 0;
    }
}
