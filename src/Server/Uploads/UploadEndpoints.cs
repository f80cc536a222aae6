using System.Text.Json;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>POST /upload and GET /uploads.</summary>
internal sealed class UploadEndpoints(
    CatalogueDatabase database,
    UploadCatalogue uploads,
    BackupCatalogue backups,
    BackupStore store,
    UploadBackends backends,
    UploadOpening opening,
    UploadResumption resumption
)
{
    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<UploadEndpoints>();
        app.MapPost("/upload", endpoints.AnnounceAsync).WithMetadata(new KeyInBody());
        app.MapGet("/uploads", endpoints.ListAsync).WithMetadata(new MakesList());
    }

    private async Task AnnounceAsync(HttpContext context)
    {
        // Whatever content type it declares: curl says "form" unless told otherwise.
        var request = await JsonSerializer.DeserializeAsync(
            context.Request.Body,
            ApiJson.Default.UploadRequest,
            context.RequestAborted
        ) ?? throw RequestException.BadRequest("The body is null.");
        var client = context.GetClient();
        var wanted = UploadRequestReader.Read(request, client, Guid.NewGuid().ToString("N"));
        opening.DemandOwnMachine(wanted);
        RefuseStored(wanted);
        RefuseWithoutBase(wanted);
        var (upload, resume) = await FindOrOpenAsync(client, wanted, request.Timestamp, context.RequestAborted);
        await context.Response.WriteAsJsonAsync(
            new UploadAnswer
            {
                Success = true,
                Message = "Send the stream to upload_url.",
                UploadId = upload.UploadId,
                UploadUrl = $"/upload-stream/{upload.UploadId}",
                UploadMethod = "POST",
                StorageKey = upload.StorageKey,
                PartSize = store.Objects.PartSize,
                MaxPartSize = store.MaxPartSize,
                MaxParallelParts = backends.Of(upload).ParallelParts,
                Resume = resume,
            },
            ApiJson.Default.UploadAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    private void RefuseStored(UploadRecord wanted)
    {
        if (wanted is not { KindIsGiven: true, SnapshotGuid: { } guid })
            return;
        if (backups.Find(wanted.ClientId, wanted.DatasetName, guid, wanted.IdentityBase(wanted.FromGuid)) is { } same)
            throw StreamAdmission.Exists(same.SnapshotId);
    }

    private void RefuseWithoutBase(UploadRecord wanted)
    {
        if (wanted.FromGuid is not { } from)
            return;
        if (backups.FindBases(wanted.ClientId, from, wanted.StorageType).Count > 0)
            return;
        throw RequestException.Conflict(
            "base_missing",
            $"No backup here holds the base, the snapshot with GUID {from}.",
            "Send a full backup: zfs-client backup-full."
        );
    }

    private async Task<(UploadRecord Upload, UploadResume? Resume)> FindOrOpenAsync(
        ClientEntry client,
        UploadRecord wanted,
        DateTimeOffset? timestamp,
        CancellationToken cancellationToken
    )
    {
        if (uploads.FindSame(wanted) is { } open)
        {
            if (wanted is { MachineId: { } machine, MachineName: { } name })
                uploads.SetMachine(open.UploadId, machine, name);
            return await resumption.ResumeAsync(client, open, cancellationToken);
        }

        var opened = await opening.OpenAsync(client, wanted, timestamp, cancellationToken);
        return (opened, null);
    }

    private async Task ListAsync(HttpContext context)
    {
        var client = context.GetClient();
        List<UploadInfo> open = [];
        foreach (var upload in uploads.List(client.ClientId))
        {
            var resume = await resumption.FindAsync(upload, context.RequestAborted);
            open.Add(Describe(upload, resume) with { Active = resumption.IsActive(upload) });
        }

        await context.Response.WriteAsJsonAsync(
            new UploadsAnswer
            {
                Success = true,
                Message = $"Open uploads: {open.Count}",
                ServerId = database.Id,
                Uploads = open,
            },
            ApiJson.Default.UploadsAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    private static UploadInfo Describe(UploadRecord upload, UploadResume? resume) =>
        new()
        {
            UploadId = upload.UploadId,
            DatasetName = upload.DatasetName.Value,
            SnapshotName = upload.SnapshotName,
            SnapshotGuid = upload.SnapshotGuid,
            FromGuid = upload.FromGuid,
            Compression = upload.Compression.ApiName(),
            SendFlags = upload.SendFlags,
            TouchedAt = upload.TouchedAt,
            MachineId = upload.MachineId,
            MachineName = upload.MachineName,
            Resume = resume,
        };
}
