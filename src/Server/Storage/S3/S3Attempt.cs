using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>
/// One attempt at a request: its token is cancelled if no byte is transferred for a while. There is no total timeout: a
/// part over a slow line may take long.
/// </summary>
internal sealed class S3Attempt : IDisposable
{
    private readonly TimeSpan _idle;
    private readonly CancellationTokenSource _source;
    private readonly CancellationToken _outer;

    public S3Attempt(TimeSpan idle, CancellationToken cancellationToken)
    {
        (_idle, _outer) = (idle, cancellationToken);
        _source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Moved();
    }

    public CancellationToken Token => _source.Token;

    public bool TimedOut => _source.IsCancellationRequested && !_outer.IsCancellationRequested;

    /// <summary>A request's body; every read of it counts as progress.</summary>
    /// <param name="sha256">Its digest if known, lower-case hex: the signature needs it, and computing it costs more
    /// than sending.</param>
    public Stream Body(ReadOnlyMemory<byte> content, string? sha256 = null) => new WatchedBody(this, content, sha256);

    /// <summary>The digest that a request's body was created with; null if unknown.</summary>
    public static string? DigestOf(Stream? body) => (body as WatchedBody)?.Sha256;

    /// <summary>Fills a buffer from a response's body.</summary>
    /// <exception cref="EndOfStreamException">The body ended early.</exception>
    public async Task FillAsync(Stream body, Memory<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            var count = await body.ReadAsync(destination, Token);
            if (count == 0)
                throw new EndOfStreamException("the answer ended early");
            destination = destination[count..];
            Moved();
        }
    }

    public void Dispose() => _source.Dispose();

    private void Moved() => _source.CancelAfter(_idle);

    private sealed class WatchedBody(S3Attempt attempt, ReadOnlyMemory<byte> content, string? sha256)
        : MemoryStream(
            ArrayOf(content).Array!,
            ArrayOf(content).Offset,
            content.Length,
            writable: false,
            publiclyVisible: true
        )
    {
        public string? Sha256 => sha256;

        public override int Read(byte[] buffer, int offset, int count)
        {
            attempt.Moved();
            return base.Read(buffer, offset, count);
        }

        public override int Read(Span<byte> buffer)
        {
            attempt.Moved();
            return base.Read(buffer);
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            attempt.Moved();
            return base.ReadAsync(buffer, cancellationToken);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        {
            attempt.Moved();
            return base.ReadAsync(buffer, offset, count, cancellationToken);
        }

        private static ArraySegment<byte> ArrayOf(ReadOnlyMemory<byte> content) =>
            MemoryMarshal.TryGetArray(content, out var array)
                ? array
                : throw new ArgumentException("The content must lie in an array.", nameof(content));
    }
}
