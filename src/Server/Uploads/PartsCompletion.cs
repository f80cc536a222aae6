using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Makes a backup from an upload's parts, and reports what kept it from being one.</summary>
internal sealed partial class PartsCompletion(UploadBackends backends, ILogger<PartsCompletion> logger)
{
    /// <inheritdoc cref="IUploadBackend.CompleteAsync"/>
    public async Task<SnapshotInfo> CompleteAsync(UploadRecord upload, CompleteRequest request)
    {
        try
        {
            return await backends.Of(upload).CompleteAsync(upload, request);
        }
        catch (RequestException e)
        {
            LogIncomplete(upload.UploadId, upload.ClientId, e.Message);
            throw;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Upload {UploadId} of {ClientId} was not completed: {Reason}")]
    private partial void LogIncomplete(string uploadId, string clientId, string reason);
}
