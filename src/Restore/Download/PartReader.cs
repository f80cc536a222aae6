using System.Threading.Channels;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// The parts of a backup as one stream of stored bytes, in order, fetched several at once. No byte of a part is
/// returned before the whole part is fetched and verified. Pages of the pool are assigned to parts in order, so that
/// the next part to be read never waits for a later one, and are returned as they are read. At most
/// <c>parallelParts</c> parts are fetched ahead, so that an interruption wastes little.
/// </summary>
internal sealed class PartReader : ForwardOnlyStream
{
    private readonly PartFetch _fetch;
    private readonly PagePool _pool;
    private readonly SemaphoreSlim _slots;
    private readonly CancellationTokenSource _closed = new();
    private readonly Channel<PartBuffer> _buffers = Channel.CreateUnbounded<PartBuffer>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true }
    );
    private readonly DigestTree _digests = new();
    private readonly Task _dispatch;
    private PartBuffer? _current;
    private int _position;
    private volatile bool _failed; // reading ends at the failed part, so no more parts are fetched

    /// <param name="fetch">Fetches one part.</param>
    /// <param name="pool">The memory; no other reader may use it until this one is disposed.</param>
    /// <param name="parallelParts">The maximum number of parts fetched at once, and of parts fetched ahead.</param>
    /// <param name="parts">The parts of complete groups, in order; groups are not necessarily contiguous.</param>
    /// <param name="largestPart">Bytes of the largest part.</param>
    public PartReader(PartFetch fetch, PagePool pool, int parallelParts, IEnumerable<BackupPart> parts, int largestPart)
    {
        (_fetch, _pool, _slots) = (fetch, pool, new SemaphoreSlim(parallelParts));
        pool.MakeRoomFor(largestPart);
        _dispatch = DispatchAsync(parts);
    }

    public override bool CanRead => true;

    /// <exception cref="OperationException">A part is not what was stored, or the server is unreachable for too
    /// long.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty || !await PrepareAsync(cancellationToken))
            return 0;
        var content = _current!.ContentAt(_position);
        var count = Math.Min(buffer.Length, content.Length);
        content[..count].CopyTo(buffer);
        _position += count;
        _current.ReleaseBefore(_position, _pool);
        return count;
    }

    public override async ValueTask DisposeAsync()
    {
        if (_closed.IsCancellationRequested)
            return;
        await _closed.CancelAsync();
        await _dispatch;
        if (_current is not null)
            await DropAsync(_current);
        while (_buffers.Reader.TryRead(out var buffer))
            await DropAsync(buffer);
        _closed.Dispose();
        _slots.Dispose();
        await base.DisposeAsync();
    }

    /// <returns>False at the end.</returns>
    private async ValueTask<bool> PrepareAsync(CancellationToken cancellationToken)
    {
        if (_current is null || _position == _current.Part.Size)
        {
            _current?.Dispose();
            _current = null;
            if (!await _buffers.Reader.WaitToReadAsync(cancellationToken) || !_buffers.Reader.TryRead(out var next))
                return false;
            (_current, _position) = (next, 0);
        }

        var digest = await _current.Fetched.WaitAsync(cancellationToken);
        if (_position == 0)
        {
            _ = _slots.Release(); // another part may be fetched ahead
            CheckGroup(_current.Part, digest);
        }

        return true;
    }

    /// <summary>A part was checked by the start of its digest; with the last part of a group, all of it is.</summary>
    private void CheckGroup(BackupPart part, byte[] digest)
    {
        _digests.Add(digest);
        if (part.GroupDigest is null || _digests.Finish().AsSpan().SequenceEqual(part.GroupDigest))
            return;
        throw new OperationException(
            ExitCode.Damaged,
            $"The bytes of {part.Key} before {part.KeyOffset + part.Size} are not those that were stored: the digests "
                + "of the parts do not match the manifest."
        );
    }

    private async Task DispatchAsync(IEnumerable<BackupPart> parts)
    {
        try
        {
            foreach (var part in parts)
            {
                await _slots.WaitAsync(_closed.Token);
                if (_failed)
                    break;
                var buffer = new PartBuffer(part);
                buffer.Fetched = FetchAsync(buffer);
                _ = _buffers.Writer.TryWrite(buffer);
                while (!buffer.HasAllPages)
                    buffer.Assign(await _pool.RentAsync(_closed.Token));
            }
        }
        catch (OperationCanceledException) when (_closed.IsCancellationRequested)
        {
            // The reader was disposed.
        }

        _buffers.Writer.Complete();
    }

    private async Task<byte[]> FetchAsync(PartBuffer buffer)
    {
        try
        {
            return await _fetch.RunAsync(buffer, _closed.Token);
        }
        catch
        {
            _failed = true;
            throw;
        }
    }

    private async Task DropAsync(PartBuffer buffer)
    {
        await ((Task)buffer.Fetched).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        buffer.ReleaseAll(_pool);
        buffer.Dispose();
    }
}
