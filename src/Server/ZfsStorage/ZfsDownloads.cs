using Microsoft.Net.Http.Headers;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>
/// GET /download of a backup in ZFS: a live <c>zfs send</c>: full, from another of its snapshots, or resumed by a
/// token.
/// </summary>
internal sealed partial class ZfsDownloads(
    ZfsHost zfs,
    PacedResponses responses,
    ReadLeases leases,
    RequestEvents events,
    ILogger<ZfsDownloads> logger
)
{
    public async Task SendAsync(HttpContext context, SnapshotInfo backup)
    {
        var writer = responses.Begin(context);
        await using var sending = zfs.StartSending(
            await ChooseAsync(context.Request.Query, backup, context.RequestAborted)
        );
        var buffer = new byte[StreamSlice.Size];
        var count = await ReadFirstAsync(sending, buffer, backup, context.RequestAborted);
        Describe(context.Response, backup);
        events.PublishRead(context, ServerEvents.BackupDownloaded, backup.SnapshotId);
        var client = context.GetClient().ClientId;
        for (; count > 0; count = await sending.Output.ReadAsync(buffer, context.RequestAborted))
        {
            leases.Renew(client, backup.SnapshotId);
            await writer.WriteAsync(buffer.AsMemory(0, count));
        }

        await EndAsync(context, sending, backup);
    }

    /// <summary>Chooses the arguments of <c>zfs</c>.</summary>
    private async Task<IReadOnlyList<string>> ChooseAsync(
        IQueryCollection query,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        var (from, token) = (query["from_guid"].ToString(), query["resume_token"].ToString());
        if (from.Length > 0 && token.Length > 0)
            throw RequestException.BadRequest(
                "from_guid and resume_token exclude each other: the token contains the base."
            );
        if (token.Length > 0)
            return ["send", "-t", RebuildToken(token, backup)];
        if (from.Length == 0)
            return ["send", .. FlagsOf(backup), backup.StorageKey];
        var start = await FindAsync(backup, from, cancellationToken);
        return ["send", .. FlagsOf(backup), "-i", start, backup.StorageKey];
    }

    /// <summary>
    /// The flags of the chain, and always -L: a stream without it cannot be received on one that was sent with it.
    /// </summary>
    public static IReadOnlyList<string> FlagsOf(SnapshotInfo backup) =>
        [
            .. backup
                .SendFlags.Where(flag => ZfsSend.KnownFlags.Contains(flag))
                .Append("-L")
                .Concat(backup.Raw ? [ZfsSend.Raw] : [])
                .Distinct(StringComparer.Ordinal),
        ];

    /// <summary>
    /// Builds the token again for this very backup: a client chooses the position in it, and nothing else.
    /// </summary>
    /// <exception cref="RequestException">It is not a token, or belongs to another snapshot.</exception>
    public static string RebuildToken(string text, SnapshotInfo backup)
    {
        if (!ResumeToken.TryParse(text, out var token))
            throw RequestException.BadRequest("resume_token is not a resume token, or is damaged.");
        if (
            token.SnapshotGuid != backup.SnapshotGuid.Value
            || token.FullSnapshotName != backup.StorageKey
            || token.BaseGuid is not null
            || token.Raw != backup.Raw
            || token.OtherPairs.Count > 0
        )
        {
            throw RequestException.Conflict(
                "token_mismatch",
                $"resume_token does not belong to a download of {backup.SnapshotId}.",
                "Download it from its start."
            );
        }

        return (token with { FullSnapshotName = backup.StorageKey }).ToString();
    }

    private async Task<string> FindAsync(SnapshotInfo backup, string from, CancellationToken cancellationToken)
    {
        if (!SnapshotGuid.TryParse(from, out var guid))
            throw RequestException.BadRequest("from_guid must be a snapshot's GUID.");
        var snapshots = await zfs.ListSnapshotsAsync(SnapshotName.Parse(backup.StorageKey).Dataset, cancellationToken);
        return snapshots
            .FirstOrDefault(snapshot =>
                snapshot.Guid == guid && !snapshot.Name.IsBookmark && snapshot.Name.ToString() != backup.StorageKey
            )
            ?.Name.ToString()
            ?? throw RequestException.NotFound(
                $"The snapshot with GUID {from} is not in the dataset of {backup.SnapshotId}."
            );
    }

    /// <summary>Reads before the response starts, so that a refusal by ZFS is answered as an error.</summary>
    private async Task<int> ReadFirstAsync(
        ZfsProcess sending,
        byte[] buffer,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        var count = await sending.Output.ReadAsync(buffer, cancellationToken);
        if (count > 0)
            return count;
        try
        {
            await sending.WaitForSuccessAsync(cancellationToken);
            throw new InvalidOperationException($"zfs send of {backup.StorageKey} sent nothing.");
        }
        catch (ZfsException e)
        {
            LogFailed(e, backup.StorageKey);
            throw ZfsFaults.OfReading(e, backup);
        }
    }

    /// <summary>Aborts the response if <c>zfs send</c> failed: it must not look complete.</summary>
    private async Task EndAsync(HttpContext context, ZfsProcess sending, SnapshotInfo backup)
    {
        try
        {
            await sending.WaitForSuccessAsync(context.RequestAborted);
        }
        catch (ZfsException e)
        {
            LogFailed(e, backup.StorageKey);
            context.Abort();
        }
    }

    private static void Describe(HttpResponse response, SnapshotInfo backup)
    {
        var headers = response.GetTypedHeaders();
        headers.LastModified = backup.ReceivedAt;
        response.Headers.AcceptRanges = "none";
        headers.ContentType = new MediaTypeHeaderValue(CompressionFormat.None.ContentType());
        var name = new ContentDispositionHeaderValue("attachment");
        name.SetHttpFileName($"{Path.GetFileName(backup.SnapshotId)}.zfs");
        headers.ContentDisposition = name;
    }

    [LoggerMessage(LogLevel.Error, "zfs send of {Snapshot} failed")]
    private partial void LogFailed(Exception e, string snapshot);
}
