using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Finds the upload that a request names.</summary>
internal sealed class UploadLookup(UploadCatalogue uploads, UploadRecovery recovery)
{
    /// <exception cref="RequestException">404: the client has no such open upload.</exception>
    public UploadRecord Find(ClientEntry client, string id) =>
        uploads.Find(client.ClientId, id)
        ?? throw RequestException.NotFound(
            "No such upload is open. It may be committed: GET /snapshots lists committed backups."
        );

    /// <summary>
    /// Finds an upload that the caller holds alone. The request before may have committed it, or failed in the middle
    /// of the commit; that is finished or rolled back first.
    /// </summary>
    /// <exception cref="RequestException">404; 409 if it is committed; 500 if what an earlier request left can be
    /// neither committed nor removed.</exception>
    public async Task<UploadRecord> FindRecoveredAsync(
        ClientEntry client,
        string id,
        CancellationToken cancellationToken
    )
    {
        var upload = Find(client, id);
        return await recovery.RecoverAsync(upload, cancellationToken) switch
        {
            RecoveredUpload.Open => Find(client, id), // it may have got another key
            RecoveredUpload.Finished or RecoveredUpload.Committed => throw StreamAdmission.Exists(upload.SnapshotId),
            _ => throw new RequestException(
                StatusCodes.Status500InternalServerError,
                "internal_error",
                "What an earlier attempt left cannot be removed; the server's log says why."
            ),
        };
    }
}
