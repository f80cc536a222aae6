namespace ZfsSnapshotManager.Core;

/// <summary>
/// A stream that passes once, in one direction. Readers override <see cref="CanRead"/> and
/// <see cref="ReadAsync(Memory{byte}, CancellationToken)"/> or <see cref="Read(Span{byte})"/>, or both; writers
/// <see cref="CanWrite"/> and <see cref="WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/> or
/// <see cref="Write(ReadOnlySpan{byte})"/>. Everything else is refused.
/// </summary>
public abstract class ForwardOnlyStream : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw Refused();

    public override long Position
    {
        get => throw Refused();
        set => throw Refused();
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        throw Refused();

    public sealed override Task<int> ReadAsync(
        byte[] buffer,
        int offset,
        int count,
        CancellationToken cancellationToken
    ) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(Span<byte> buffer) => throw Refused();

    public sealed override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        throw Refused();

    public sealed override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(ReadOnlySpan<byte> buffer) => throw Refused();

    public sealed override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Nothing is buffered.
    }

    public sealed override long Seek(long offset, SeekOrigin origin) => throw Refused();

    public sealed override void SetLength(long value) => throw Refused();

    private NotSupportedException Refused() => new($"{GetType().Name} passes once, in one direction.");
}
