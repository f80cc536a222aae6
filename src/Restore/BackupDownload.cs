using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore;

/// <summary>
/// The stored bytes of a backup as they come from the server. Where the connection breaks, it is opened again from there: what was
/// received is not fetched twice. A server that found damage in mid-stream has no other way to say so than to break off; asked again, it says it in words.
/// </summary>
internal sealed class BackupDownload(ApiClient server, SnapshotInfo backup) : OneWayStream
{
    /// <summary>Attempts in a row that bring nothing, with pauses between them: 0.5, 1, 2 and 4 s.</summary>
    private const int MaxAttempts = 5;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(0.5);

    private HttpResponseMessage? _response;
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
                _body ??= await OpenAsync(cancellationToken).ConfigureAwait(false);
                var count = await _body.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                if (count > 0) _failures = 0;
                _received += count;
                return count;
            }
            catch (Exception e) when (e is IOException or HttpRequestException or OperationException { ExitCode: ExitCode.Unreachable } or ApiException { Status: HttpStatusCode.ServiceUnavailable })
            {
                Disconnect();
                if (++_failures >= MaxAttempts) throw GiveUp(e);
                Output.Warn($"the connection broke after {ByteSize.Format(_received)} of {backup.SnapshotId}; trying to go on ({e.Message.TrimEnd('.')})");
                await Task.Delay(FirstPause * (1 << (_failures - 1)), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) Disconnect();
        base.Dispose(disposing);
    }

    private async Task<Stream> OpenAsync(CancellationToken cancellationToken)
    {
        _response = await server.DownloadAsync(backup, _received, cancellationToken).ConfigureAwait(false);
        return await _response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
    }

    private void Disconnect()
    {
        _body?.Dispose();
        _response?.Dispose();
        (_body, _response) = (null, null);
    }

    private OperationException GiveUp(Exception e) => e as OperationException
        ?? new OperationException(ExitCode.Unreachable, $"The connection broke while {backup.SnapshotId} was read: {e.Message}", "Run the command again.", e);
}
