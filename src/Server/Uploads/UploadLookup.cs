using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Finds the upload that a request names.</summary>
internal sealed class UploadLookup(UploadCatalogue uploads, UploadRecovery recovery)
{
    /// <exception cref="RequestException">404: the client has no such open upload.</exception>
    public UploadRecord Find(ClientEntry client, string id) => uploads.Find(client.ClientId, id) ?? throw NotOpen();

    /// <summary>Finds an upload for one of several requests that may work on it at once.</summary>
    /// <inheritdoc cref="Find"/>
    public UploadRecord Join(ClientEntry client, string id) => uploads.Join(client.ClientId, id) ?? throw NotOpen();

    /// <summary>
    /// Takes over an upload that the caller holds alone. The request before may have committed it, or failed in the
    /// middle of the commit; that is finished or rolled back first.
    /// </summary>
    /// <exception cref="RequestException">404; 409 if it is committed; 500 if what an earlier request left can be
    /// neither committed nor removed.</exception>
    public Task<UploadRecord> TakeOverAsync(ClientEntry client, string id, CancellationToken cancellationToken) =>
        RecoverAsync(client, id, touched: true, cancellationToken);

    /// <summary>The same for an upload that is dropped, which works on a full disk.</summary>
    /// <inheritdoc cref="TakeOverAsync"/>
    public Task<UploadRecord> TakeOverToDropAsync(ClientEntry client, string id, CancellationToken cancellationToken) =>
        RecoverAsync(client, id, touched: false, cancellationToken);

    private async Task<UploadRecord> RecoverAsync(
        ClientEntry client,
        string id,
        bool touched,
        CancellationToken cancellationToken
    )
    {
        var upload = uploads.TakeOver(client.ClientId, id, touched);
        if (upload is null or { State: UploadState.Abandoned })
            throw NotOpen();
        return await recovery.RecoverAsync(upload, cancellationToken) switch
        {
            RecoveredUpload.Open => Find(client, id), // it may have got another key
            RecoveredUpload.Dropped => throw NotOpen(),
            RecoveredUpload.Finished or RecoveredUpload.Committed => throw StreamAdmission.Exists(upload.SnapshotId),
            _ => throw new RequestException(
                StatusCodes.Status500InternalServerError,
                "internal_error",
                "What an earlier attempt left cannot be removed; the server's log says why."
            ),
        };
    }

    private static RequestException NotOpen() =>
        new(
            StatusCodes.Status404NotFound,
            "not_found",
            "No such upload is open. It may be committed: GET /snapshots lists committed backups.",
            "If its backup is not listed, the server has forgotten it: announce it again with POST /upload (zfs-client "
                + "does that when the backup is run again)."
        );
}
