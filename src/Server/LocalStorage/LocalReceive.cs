using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Server.LocalStorage;

/// <summary>
/// One <c>zfs receive -s</c> that lives as long as its upload. It gets what was checked, but for the last 312 bytes: the END record is never in
/// ZFS's hands before all of the stream was found right, since with it ZFS makes the snapshot.
/// </summary>
/// <param name="target">What it makes.</param>
/// <param name="alreadyBytes">Bytes of the stream that an earlier receive had taken, as ZFS counts them.</param>
/// <param name="options">Properties of a dataset that is made by it.</param>
internal sealed class LocalReceive(SnapshotName target, long alreadyBytes, IReadOnlyList<string> options) : IAsyncDisposable
{
    /// <summary>An END record: a header without payload, and nothing follows it.</summary>
    private const int EndSize = 312;

    /// <summary>How long ZFS may take to write down what it has received.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(20);

    private readonly ZfsProcess _zfs = ReceivingDataset.Start(target, options);
    private readonly SemaphoreSlim _writing = new(1);
    private readonly byte[] _tail = new byte[EndSize];
    private int _held;
    private bool _ended;

    public SnapshotName Target => target;

    public long AlreadyBytes => alreadyBytes;

    /// <summary>Bytes that were handed on, or are held back.</summary>
    public long Written { get; private set; }

    /// <summary>When something came last.</summary>
    public long LastWrite { get; private set; } = TimeProvider.System.GetTimestamp();

    /// <summary>Hands on what was checked. It may wait for ZFS, but not for ever: <see cref="SuspendAsync"/> ends that.</summary>
    /// <exception cref="Http.RequestException">ZFS refused the stream, or the receive has ended.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> slice, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_ended) throw LocalFaults.Interrupted();
            (Written, LastWrite) = (Written + slice.Length, TimeProvider.System.GetTimestamp());
            await HandOnAsync(slice).ConfigureAwait(false);
        }
        catch (IOException)
        {
            _ended = true;
            throw await FindCauseAsync().ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Hands on END: from here on the snapshot exists.</summary>
    /// <exception cref="Http.RequestException">ZFS refused the stream, or the receive has ended.</exception>
    public async Task FinishAsync()
    {
        await _writing.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            if (_ended) throw LocalFaults.Interrupted();
            _ended = true;
            await _zfs.Input.WriteAsync(_tail.AsMemory(0, _held), CancellationToken.None).ConfigureAwait(false);
            _zfs.Input.Close();
        }
        catch (IOException)
        {
            // It closed its end: what it says is the cause, and is thrown below.
        }
        finally
        {
            _writing.Release();
        }

        try
        {
            await _zfs.WaitForSuccessAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (ZfsException e)
        {
            throw LocalFaults.OfReceive(e);
        }
    }

    /// <summary>Ends it before END: ZFS writes down how far it came, so that it can go on there. Killed, it would lose the last seconds.</summary>
    public async Task SuspendAsync()
    {
        using var patience = new CancellationTokenSource(EndPatience);
        try
        {
            await _writing.WaitAsync(patience.Token).ConfigureAwait(false);
            try
            {
                _ended = true;
                _zfs.Input.Close();
            }
            finally
            {
                _writing.Release();
            }

            await _zfs.WaitForSuccessAsync(patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ZfsException or OperationCanceledException)
        {
            // It complains that the stream ended early, of course, or does not end: then disposing it kills it.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await SuspendAsync().ConfigureAwait(false);
        await _zfs.DisposeAsync().ConfigureAwait(false);
        _writing.Dispose();
    }

    /// <summary>The last bytes stay here, and go before the next ones.</summary>
    private async ValueTask HandOnAsync(ReadOnlyMemory<byte> slice)
    {
        if (slice.Length >= EndSize)
        {
            await _zfs.Input.WriteAsync(_tail.AsMemory(0, _held), CancellationToken.None).ConfigureAwait(false);
            await _zfs.Input.WriteAsync(slice[..^EndSize], CancellationToken.None).ConfigureAwait(false);
            slice[^EndSize..].CopyTo(_tail);
            _held = EndSize;
            return;
        }

        var surplus = Math.Max(0, _held + slice.Length - EndSize);
        await _zfs.Input.WriteAsync(_tail.AsMemory(0, surplus), CancellationToken.None).ConfigureAwait(false);
        _tail.AsSpan(surplus, _held - surplus).CopyTo(_tail);
        slice.CopyTo(_tail.AsMemory(_held - surplus));
        _held += slice.Length - surplus;
    }

    private async Task<Http.RequestException> FindCauseAsync()
    {
        try
        {
            _zfs.Input.Close();
        }
        catch (IOException)
        {
            // It is closed at the other end.
        }

        try
        {
            await _zfs.WaitForSuccessAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (ZfsException e)
        {
            return LocalFaults.OfReceive(e);
        }

        return LocalFaults.Interrupted();
    }
}
