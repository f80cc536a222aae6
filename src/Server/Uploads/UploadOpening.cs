using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Opens new uploads.</summary>
internal sealed class UploadOpening(
    UploadCatalogue uploads,
    UploadBackends backends,
    MachineCheck machines,
    ServerSettings settings,
    TimeProvider time
)
{
    /// <inheritdoc cref="MachineCheck.Run"/>
    public void DemandOwnMachine(UploadRecord wanted) => machines.Run(wanted);

    /// <param name="wanted">What was announced, without id and key.</param>
    /// <param name="timestamp">When the snapshot was made, for the id; null: now.</param>
    /// <exception cref="RequestException">The client has too many uploads or no space, or the server has no ZFS for
    /// it.</exception>
    public async Task<UploadRecord> OpenAsync(
        ClientEntry client,
        UploadRecord wanted,
        DateTimeOffset? timestamp,
        CancellationToken cancellationToken
    )
    {
        if (uploads.Count(client.ClientId) >= settings.MaxOpenUploads)
        {
            throw new RequestException(
                StatusCodes.Status429TooManyRequests,
                "too_many_uploads",
                $"{client.ClientId} has {settings.MaxOpenUploads} uploads open.",
                "GET /uploads lists them; resume or drop them."
            );
        }

        var names = StorageKey.Candidates(
            client.ClientId,
            wanted.DatasetName,
            timestamp ?? time.GetUtcNow(),
            wanted.Compression
        );
        try
        {
            return await backends.Of(wanted).OpenAsync(client, wanted, names, cancellationToken);
        }
        catch (OtherMachineException)
        {
            machines.Run(wanted); // the other machine was faster; this says which it is
            throw;
        }
    }
}
