using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// One <c>zfs receive -s</c> that lives as long as its upload. It gets what was verified, except for the last 312
/// bytes: the END record, with which ZFS creates the snapshot, is passed on only after all of the stream was found
/// valid.
/// </summary>
internal sealed class ZfsReceive : IAsyncDisposable
{
    /// <summary>Bytes of an END record: a header without payload, and nothing follows it.</summary>
    private const int EndSize = 312;

    /// <summary>How long ZFS may take to save the state of an interrupted receive.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(20);

    /// <summary>How long ZFS may take to accept a slice. A suspended pool accepts none.</summary>
    private readonly TimeSpan _patience;

    private readonly ZfsProcess _zfs;
    private readonly TimeProvider _time;
    private readonly EndRecordBuffer _stream;
    private readonly SemaphoreSlim _writing = new(1);
    private bool _ended;

    private ZfsReceive(SnapshotName target, long alreadyBytes, ZfsProcess zfs, TimeSpan patience, TimeProvider time) =>
        (Target, AlreadyBytes, _zfs, _patience, _time, _stream, LastWrite) = (
            target,
            alreadyBytes,
            zfs,
            patience,
            time,
            new EndRecordBuffer(zfs.Input, EndSize),
            time.GetTimestamp()
        );

    /// <summary>The snapshot that it creates.</summary>
    public SnapshotName Target { get; }

    /// <summary>
    /// Bytes of the stream that an earlier receive had accepted, as ZFS counts them; 0 if it is not resumed.
    /// </summary>
    public long AlreadyBytes { get; }

    /// <summary>Bytes that were passed on or are held back.</summary>
    public long Written { get; private set; }

    /// <summary>Timestamp of the last write.</summary>
    public long LastWrite { get; private set; }

    /// <param name="zfs">Where it runs.</param>
    /// <param name="target">The snapshot that it creates.</param>
    /// <param name="alreadyBytes">Bytes of the stream that an earlier receive had accepted.</param>
    /// <param name="options">Properties of the dataset that it creates.</param>
    /// <param name="patience">How long ZFS may take to accept a slice.</param>
    public static ZfsReceive Start(
        ZfsHost zfs,
        SnapshotName target,
        long alreadyBytes,
        IReadOnlyList<string> options,
        TimeSpan patience,
        TimeProvider time
    ) => new(target, alreadyBytes, zfs.StartReceive(target, options), patience, time);

    /// <summary>
    /// Passes on verified bytes. It may wait for ZFS until <see cref="SuspendAsync"/> ends the receive.
    /// </summary>
    /// <exception cref="RequestException">ZFS refused the stream, or the receive has ended.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> slice, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            if (_ended)
                throw ZfsFaults.Interrupted();
            (Written, LastWrite) = (Written + slice.Length, _time.GetTimestamp());
            await _stream
                .WriteAsync(slice, CancellationToken.None)
                .AsTask()
                .WaitAsync(_patience, CancellationToken.None); // never half a slice
        }
        catch (TimeoutException e)
        {
            _ended = true;
            _zfs.Kill(); // what is still being written must not reach the pool when it is back
            throw ZfsFaults.Stuck(Target.Dataset.Value, _patience, e);
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

    /// <summary>Passes on END: ZFS creates the snapshot.</summary>
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
            // zfs closed the pipe: the cause that it printed is thrown below.
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
    /// Ends the receive before END: ZFS saves how far it came, so that it can be resumed. If it were killed, the last
    /// seconds would be lost.
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
            // It reports that the stream ended early, as expected; or it does not end, and disposing kills it.
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
            // zfs has closed the pipe.
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
