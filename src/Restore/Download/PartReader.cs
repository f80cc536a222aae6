using System.Threading.Channels;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// Parts of a backup as one stream of stored bytes, in their order, fetched several at once. Not a byte is given out of
/// a part that was not fetched and proven as a whole. Memory is the pool's: pages are given to parts in their order, so
/// that the one that is read next never waits for one behind it, and come back as they are read. No more parts than
/// lanes are ahead of the one that is read: what an interruption makes be fetched in vain stays small.
/// </summary>
internal sealed class PartReader : ForwardOnlyStream
{
    private readonly PartFetch _fetch;
    private readonly PagePool _pool;
    private readonly SemaphoreSlim _lanes;
    private readonly CancellationTokenSource _closed = new();
    private readonly Channel<PartFlight> _flights = Channel.CreateUnbounded<PartFlight>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true }
    );
    private readonly Task _dispatch;
    private PartFlight? _current;
    private int _position;
    private volatile bool _failed; // nobody reads beyond that part

    /// <param name="fetch">Fetches one part.</param>
    /// <param name="pool">The memory; no other reader uses it until this one is disposed of.</param>
    /// <param name="lanes">The most parts that are fetched at once, and the most that are ahead.</param>
    /// <param name="parts">In order; not necessarily one behind the other.</param>
    public PartReader(PartFetch fetch, PagePool pool, int lanes, IReadOnlyList<BackupPart> parts)
    {
        (_fetch, _pool, _lanes) = (fetch, pool, new SemaphoreSlim(lanes));
        pool.MakeRoomFor(parts.Max(part => part.Size));
        _dispatch = DispatchAsync(parts);
    }

    public override bool CanRead => true;

    /// <exception cref="OperationException">A part is not what was stored, or the server is away for too
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
        while (_flights.Reader.TryRead(out var flight))
            await DropAsync(flight);
        _closed.Dispose();
        _lanes.Dispose();
        await base.DisposeAsync();
    }

    /// <returns>False at the end.</returns>
    private async ValueTask<bool> PrepareAsync(CancellationToken cancellationToken)
    {
        if (_current is null || _position == _current.Part.Size)
        {
            _current?.Dispose();
            _current = null;
            if (!await _flights.Reader.WaitToReadAsync(cancellationToken) || !_flights.Reader.TryRead(out var next))
                return false;
            (_current, _position) = (next, 0);
        }

        await _current.Fetched.WaitAsync(cancellationToken);
        if (_position == 0)
            _ = _lanes.Release(); // another one may be fetched ahead
        return true;
    }

    private async Task DispatchAsync(IReadOnlyList<BackupPart> parts)
    {
        try
        {
            foreach (var part in parts)
            {
                await _lanes.WaitAsync(_closed.Token);
                if (_failed)
                    break;
                var flight = new PartFlight(part);
                flight.Fetched = FetchAsync(flight);
                _ = _flights.Writer.TryWrite(flight);
                while (!flight.HasAllPages)
                    flight.Give(await _pool.TakeAsync(_closed.Token));
            }
        }
        catch (OperationCanceledException) when (_closed.IsCancellationRequested)
        {
            // Nobody reads any more.
        }

        _flights.Writer.Complete();
    }

    private async Task FetchAsync(PartFlight flight)
    {
        try
        {
            await _fetch.RunAsync(flight, _closed.Token);
        }
        catch
        {
            _failed = true;
            throw;
        }
    }

    private async Task DropAsync(PartFlight flight)
    {
        await flight.Fetched.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        flight.ReleaseAll(_pool);
        flight.Dispose();
    }
}
