using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// One <c>zfs receive -s</c> that lives as long as its upload. It gets what was checked, but for the last 312 bytes:
/// the END record is never in ZFS's hands before all of the stream was found right, since with it ZFS makes the
/// snapshot.
/// </summary>
internal sealed class ZfsReceive : IAsyncDisposable
{
    /// <summary>An END record: a header without payload, and nothing follows it.</summary>
    private const int EndSize = 312;

    /// <summary>How long ZFS may take to write down what it has received.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(20);

    private readonly ZfsProcess _zfs;
    private readonly EndRecordBuffer _stream;
    private readonly SemaphoreSlim _writing = new(1);
    private bool _ended;

    private ZfsReceive(SnapshotName target, long alreadyBytes, ZfsProcess zfs) =>
        (Target, AlreadyBytes, _zfs, _stream) = (target, alreadyBytes, zfs, new EndRecordBuffer(zfs.Input, EndSize));

    /// <summary>What it makes.</summary>
    public SnapshotName Target { get; }

    /// <summary>Bytes of the stream that an earlier receive had taken, as ZFS counts them.</summary>
    public long AlreadyBytes { get; }

    /// <summary>Bytes that were handed on, or are held back.</summary>
    public long Written { get; private set; }

    /// <summary>When something came last.</summary>
    public long LastWrite { get; private set; } = TimeProvider.System.GetTimestamp();

    /// <param name="target">What it makes.</param>
    /// <param name="alreadyBytes">Bytes of the stream that an earlier receive had taken.</param>
    /// <param name="options">Properties of a dataset that is made by it.</param>
    public static ZfsReceive Start(
        ZfsHost zfs,
        SnapshotName target,
        long alreadyBytes,
        IReadOnlyList<string> options
    ) => new(target, alreadyBytes, zfs.StartReceive(target, options));

    /// <summary>
    /// Hands on what was checked. It may wait for ZFS, but not for ever: <see cref="SuspendAsync"/> ends that.
    /// </summary>
    /// <exception cref="RequestException">ZFS refused the stream, or the receive has ended.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> slice, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            if (_ended)
                throw ZfsFaults.Interrupted();
            (Written, LastWrite) = (Written + slice.Length, TimeProvider.System.GetTimestamp());
            await _stream.WriteAsync(slice, CancellationToken.None); // half a slice would be of no use
        }
        catch (IOException)
        {
            _ended = true;
            throw await FindCauseAsync();
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Hands on END: from here on the snapshot exists.</summary>
    /// <exception cref="RequestException">ZFS refused the stream, or the receive has ended.</exception>
    public async Task FinishAsync()
    {
        await _writing.WaitAsync(CancellationToken.None);
        try
        {
            if (_ended)
                throw ZfsFaults.Interrupted();
            _ended = true;
            await _stream.ReleaseAsync(CancellationToken.None);
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
            await _zfs.WaitForSuccessAsync(CancellationToken.None);
        }
        catch (ZfsException e)
        {
            throw ZfsFaults.OfReceive(e);
        }
    }

    /// <summary>
    /// Ends it before END: ZFS writes down how far it came, so that it can go on there. Killed, it would lose the last
    /// seconds.
    /// </summary>
    public async Task SuspendAsync()
    {
        using var patience = new CancellationTokenSource(EndPatience);
        try
        {
            await _writing.WaitAsync(patience.Token);
            try
            {
                _ended = true;
                _zfs.Input.Close();
            }
            finally
            {
                _writing.Release();
            }

            await _zfs.WaitForSuccessAsync(patience.Token);
        }
        catch (Exception e) when (e is IOException or ZfsException or OperationCanceledException)
        {
            // It complains that the stream ended early, of course, or does not end: then disposing it kills it.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await SuspendAsync();
        await _zfs.DisposeAsync();
        _writing.Dispose();
    }

    private async Task<RequestException> FindCauseAsync()
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
            await _zfs.WaitForSuccessAsync(CancellationToken.None);
        }
        catch (ZfsException e)
        {
            return ZfsFaults.OfReceive(e);
        }

        return ZfsFaults.Interrupted();
    }
}
