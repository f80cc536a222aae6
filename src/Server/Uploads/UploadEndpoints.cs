using System.Text.Json;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads.Zfs;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>POST /upload, GET /uploads, and /upload-stream but for its parts.</summary>
internal sealed partial class UploadEndpoints(
    ClientAuthentication authentication,
    UploadCatalogue uploads,
    BackupCatalogue backups,
    PartCatalogue parts,
    BackupStore store,
    PartBuffers buffers,
    UploadSessions sessions,
    UploadSlots places,
    StreamReceiver receiver,
    LocalUploads local,
    LocalParents parents,
    ClientQuota quota,
    UploadRecovery recovery,
    AuditLog audit,
    ServerSettings settings,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<UploadEndpoints> logger
)
{
    public static void Map(WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<UploadEndpoints>();
        app.MapPost("/upload", endpoints.RequestAsync);
        app.MapGet("/uploads", endpoints.ListAsync);
        app.MapPost("/upload-stream/{id}", endpoints.ReceiveAsync);
        app.MapGet("/upload-stream/{id}", endpoints.GetStateAsync);
        app.MapDelete("/upload-stream/{id}", endpoints.AbortAsync);
    }

    /// <summary>
    /// The upload once nobody else works on it: the request before may have committed it, or failed in the middle of
    /// that.
    /// </summary>
    public async Task<UploadRecord> FindSettledAsync(ClientEntry client, string id, CancellationToken cancellationToken)
    {
        var upload = Find(client, id);
        return await recovery.RecoverAsync(upload, cancellationToken) switch
        {
            RecoveredUpload.Open => upload,
            RecoveredUpload.Committed => throw RequestException.Conflict(
                "snapshot_exists",
                $"This snapshot is already stored as {upload.SnapshotId}."
            ),
            _ => throw new RequestException(
                StatusCodes.Status500InternalServerError,
                "internal_error",
                "What an earlier attempt left cannot be cleared away; the server's log says why."
            ),
        };
    }

    public UploadRecord Find(ClientEntry client, string id) =>
        uploads.Find(client.ClientId, id)
        ?? throw RequestException.NotFound(
            "There is no such open upload. It may be committed: GET /snapshots lists what is."
        );

    public static Task WriteStateAsync(
        HttpContext context,
        UploadRecord upload,
        string state,
        string message,
        SnapshotInfo? backup
    )
    {
        var lastError = backup is null ? upload.LastError : null;
        var answer = new UploadStateAnswer
        {
            Success = true,
            Message = message,
            UploadId = upload.UploadId,
            State = state,
            StorageKey = upload.StorageKey,
            LastError = lastError,
            Snapshot = backup,
        };
        return context.Response.WriteAsJsonAsync(
            answer,
            ApiJson.Default.UploadStateAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    private async Task RequestAsync(HttpContext context)
    {
        // Whatever content type it says it is: curl says "form" unless told otherwise.
        var request = await JsonSerializer.DeserializeAsync(
            context.Request.Body,
            ApiJson.Default.UploadRequest,
            context.RequestAborted
        ) ?? throw RequestException.BadRequest("The body is null.");
        var client = authentication.Authenticate(context.Request, request.ClientId, request.ApiKey);
        var wanted = UploadRequestReader.Read(request, client, Guid.NewGuid().ToString("N"));
        if (
            wanted is { KindIsGiven: true, SnapshotGuid: { } guid }
            && backups.Find(client.ClientId, wanted.DatasetName, guid, wanted.IsLocal ? null : wanted.FromGuid)
                is { } same
        )
        {
            throw RequestException.Conflict(
                "snapshot_exists",
                $"This snapshot is already stored as {same.SnapshotId}."
            );
        }

        if (wanted.FromGuid is { } from && backups.FindBases(client.ClientId, from, wanted.StorageType).Count == 0)
        {
            throw RequestException.Conflict(
                "base_missing",
                $"No backup here holds the base, the snapshot with GUID {from}.",
                "Send a full backup: zfs-client backup-full."
            );
        }

        var (upload, resume) = uploads.FindSame(wanted) is { } open
            ? await GoOnAsync(client, open, context.RequestAborted)
            : (await OpenAsync(client, wanted, request.Timestamp, context.RequestAborted), null);
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
                MaxPartSize = store.Objects.PartSize + StoredPart.MaxBlockSize,
                MaxParallelParts = upload.IsLocal ? Math.Min(buffers.Limit, LocalUploads.ParallelParts) : buffers.Limit,
                Resume = resume,
            },
            ApiJson.Default.UploadAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    /// <summary>
    /// Who asks goes on from the first gap: what lies behind it was sent by a run that is over, and so is all that is
    /// still on its way.
    /// </summary>
    private async Task<(UploadRecord Upload, UploadResume? Resume)> GoOnAsync(
        ClientEntry client,
        UploadRecord open,
        CancellationToken cancellationToken
    )
    {
        using var session = await sessions.TakeOverAsync(open.UploadId, cancellationToken);
        var upload = await FindSettledAsync(client, open.UploadId, cancellationToken);
        uploads.Touch(upload.UploadId, upload.LastError); // it is not stale any more
        if (upload.IsLocal)
            return (upload, await local.PrepareAsync(upload, cancellationToken));
        parts.RemoveFrom(upload.UploadId, (parts.FindEndOfRun(upload.UploadId)?.Number ?? 0) + 1);
        var resume = FindResume(upload.UploadId);
        return (
            upload,
            resume is null
                ? null
                : resume with
                {
                    PartDigests = string.Concat(
                        parts.List(upload.UploadId).Take(resume.NextPart - 1).Select(part => part.Sha256)
                    ),
                }
        );
    }

    /// <summary>
    /// Reserves the first key that is free in the catalogue and in the store: a catalogue that was rebuilt may not know
    /// of all that is there.
    /// </summary>
    private async Task<UploadRecord> OpenAsync(
        ClientEntry client,
        UploadRecord wanted,
        DateTimeOffset? timestamp,
        CancellationToken cancellationToken
    )
    {
        if (uploads.List(client.ClientId).Count >= settings.MaxOpenUploads)
        {
            throw new RequestException(
                StatusCodes.Status429TooManyRequests,
                "too_many_uploads",
                $"{client.ClientId} has {settings.MaxOpenUploads} uploads open.",
                "GET /uploads lists them; go on with them or drop them."
            );
        }

        if (wanted.IsLocal)
            return await OpenLocalAsync(client, wanted, timestamp, cancellationToken);
        await quota.CheckAsync(client);
        foreach (
            var (id, key) in StorageKey.Candidates(
                client.ClientId,
                wanted.DatasetName,
                timestamp ?? time.GetUtcNow(),
                wanted.Compression
            )
        )
        {
            if (
                uploads.IsFree(id)
                && !await store.ExistsAsync(key, cancellationToken)
                && uploads.Open(wanted with { SnapshotId = id, StorageKey = key }) is { } opened
            )
                return opened;
        }

        throw new InvalidOperationException("The names have no end.");
    }

    /// <summary>Where in ZFS it goes is decided when its stream begins.</summary>
    private async Task<UploadRecord> OpenLocalAsync(
        ClientEntry client,
        UploadRecord wanted,
        DateTimeOffset? timestamp,
        CancellationToken cancellationToken
    )
    {
        if (!parents.IsOffered(client))
            throw new RequestException(
                StatusCodes.Status501NotImplemented,
                "storage_type_unavailable",
                "This server has no local ZFS storage for this client.",
                "Use STORAGE_TYPE=s3: the server's object store."
            );
        var parent = await parents.EnsureAsync(client, cancellationToken);
        await quota.EnsureLocalAsync(client, 1, cancellationToken);
        foreach (
            var (id, _) in StorageKey.Candidates(
                client.ClientId,
                wanted.DatasetName,
                timestamp ?? time.GetUtcNow(),
                wanted.Compression
            )
        )
        {
            if (
                uploads.IsFree(id)
                && uploads.Open(wanted with { SnapshotId = id, StorageKey = parent.Value }) is { } opened
            )
                return opened;
        }

        throw new InvalidOperationException("The names have no end.");
    }

    private UploadResume? FindResume(string uploadId) =>
        parts.FindEndOfRun(uploadId) is { } last && Core.Transfer.StreamState.TryRead(last.EndState, out var end)
            ? new UploadResume
            {
                NextPart = last.Number + 1,
                StoredBytes = last.StoredEnd,
                StreamBytes = end.StreamOffset,
                State = $"{last.EndState};{parts.FindBegin(uploadId)}",
            }
            : null;

    private async Task ListAsync(HttpContext context)
    {
        var client = authentication.Authenticate(context.Request);
        List<UploadInfo> open = [];
        foreach (var upload in uploads.List(client.ClientId))
            open.Add(
                Describe(
                    upload,
                    upload.IsLocal
                        ? await local.FindResumeAsync(upload, context.RequestAborted)
                        : FindResume(upload.UploadId)
                )
            );
        await context.Response.WriteAsJsonAsync(
            new UploadsAnswer
            {
                Success = true,
                Message = $"Open uploads: {open.Count}",
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
            Compression = Core.Compression.CompressionFormats.ApiName(upload.Compression),
            SendFlags = upload.SendFlags,
            TouchedAt = upload.TouchedAt,
            Resume = resume,
        };

    private async Task ReceiveAsync(HttpContext context, string id)
    {
        UploadFailures.AllowLongBody(context); // first: a refusal must reach a client that is already sending
        var client = authentication.Authenticate(context.Request);
        Find(client, id);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(
            context.RequestAborted,
            lifetime.ApplicationStopping
        );
        using var session = await sessions.TakeOverAsync(id, stop.Token);
        var upload = await FindSettledAsync(client, id, stop.Token);
        SnapshotInfo backup;
        try
        {
            uploads.Touch(id, error: null);
            if (!upload.IsLocal)
                await recovery.RemovePartsAsync(upload, session.Token);
            using var place = await places.TakeAsync(session.Token);
            using var body = new IdleTimeoutStream(context.Request.Body, settings.UploadIdleTimeout, session.Token);
            backup = upload.IsLocal
                ? await local.ReceiveAsync(upload, client, body, session.Token)
                : await ReceiveObjectAsync(upload, client, body, session.Token);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw Refuse(
                context,
                client,
                id,
                UploadFailures.Explain(e, session, context.RequestAborted, lifetime.ApplicationStopping)
            );
        }

        audit.Write(
            AuditEvent.OfRequest(context, AuditEvents.BackupCommitted, client.ClientId) with
            {
                SnapshotId = backup.SnapshotId,
            }
        );
        await WriteStateAsync(context, upload, "committed", "The backup is verified and stored.", backup);
    }

    private async Task<SnapshotInfo> ReceiveObjectAsync(
        UploadRecord upload,
        ClientEntry client,
        Stream body,
        CancellationToken cancellationToken
    )
    {
        using var reservation = quota.Open(client);
        return await receiver.ReceiveAsync(upload, body, reservation, cancellationToken);
    }

    /// <summary>Notes how a request with a body ended, for a client that can only see a broken connection.</summary>
    public RequestException Refuse(HttpContext context, ClientEntry client, string id, RequestException refused)
    {
        uploads.Touch(id, refused.Error);
        LogRefused(id, client.ClientId, refused.Error.Code, refused.Message);
        context.Response.Headers.Connection = "close"; // the rest of the body is of no use to anybody
        return refused;
    }

    private async Task GetStateAsync(HttpContext context, string id)
    {
        var upload = Find(authentication.Authenticate(context.Request), id);
        await WriteStateAsync(
            context,
            upload,
            sessions.IsActive(id) ? "receiving" : "open",
            "The upload is not committed.",
            backup: null
        );
    }

    private async Task AbortAsync(HttpContext context, string id)
    {
        var client = authentication.Authenticate(context.Request);
        Find(client, id);
        using (await sessions.TakeOverAsync(id, context.RequestAborted))
        {
            await recovery.DropAsync(
                await FindSettledAsync(client, id, context.RequestAborted),
                context.RequestAborted
            );
        }

        await context.Response.WriteAsJsonAsync(
            new ApiAnswer { Success = true, Message = "The upload is dropped; nothing of it was kept." },
            ApiJson.Default.ApiAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    [LoggerMessage(LogLevel.Warning, "Upload {UploadId} of {ClientId} ended without a commit ({Code}): {Reason}")]
    private partial void LogRefused(string uploadId, string clientId, string code, string reason);
}
