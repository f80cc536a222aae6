using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// All stored bytes of a backup in one answer, where its manifest is not to be had. Where the connection breaks, it is
/// opened again from there: what was received is not fetched twice. A server that found damage in mid-stream has no
/// other way to say so than to break off; asked again, it says it in words.
/// </summary>
/// <param name="open">Opens the bytes from an offset on.</param>
/// <param name="retry">For a server that is unreachable for a while.</param>
/// <param name="progress">Told of bytes as they come.</param>
/// <param name="canResume">False where the bytes are made when they are asked for: once some came, only ZFS's own token
/// goes on with them.</param>
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
            catch (OperationException e) when (TransientFailure.OfDownload(e) && (canResume || _received == 0))
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
