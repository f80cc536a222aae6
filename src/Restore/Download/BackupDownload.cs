using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// All stored bytes of a backup in one response, for backups without a manifest. A broken connection is opened again at
/// the first missing byte. A server that finds damage in the middle of a response can only break the connection; asked
/// again, it reports the damage.
/// </summary>
/// <param name="open">Opens the bytes from an offset on.</param>
/// <param name="retry">For a server that is unreachable for a while.</param>
/// <param name="progress">Called with the number of bytes received.</param>
/// <param name="canResume">False if ZFS makes the bytes while they are read: once some have arrived, only a resume
/// token of ZFS continues them.</param>
internal sealed class BackupDownload(OpenBytes open, RetryPolicy retry, Action<long> progress, bool canResume = true)
    : ForwardOnlyStream
{
    private Stream? _body;
    private long _received;
    private int _failures;

    public override bool CanRead => true;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            try
            {
                _body ??= await open(_received, null, cancellationToken);
                var count = await _body.ReadAsync(buffer, cancellationToken);
                _failures = 0;
                retry.Succeeded();
                progress(count);
                _received += count;
                return count;
            }
            catch (OperationException e) when (e.Kind == FailureKind.Transient && (canResume || _received == 0))
            {
                Disconnect();
                await retry.WaitAsync(e, ++_failures, cancellationToken);
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Disconnect();
        base.Dispose(disposing);
    }

    private void Disconnect()
    {
        _body?.Dispose();
        _body = null;
    }
}
