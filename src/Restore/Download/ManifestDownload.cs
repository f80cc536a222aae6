using System.Net;
using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>Fetches the manifest of a backup from the server, in memory that hardly grows with its parts.</summary>
internal static class ManifestDownload
{
    /// <summary>A manifest without parts; the longest of it are properties.</summary>
    private const int MaxLocalManifest = 4 * 1024 * 1024;

    /// <exception cref="OperationException">
    /// It is not available (<see cref="IsUnavailable"/>), or the server is unreachable for too long, or refuses.
    /// </exception>
    public static async Task<DownloadedManifest> FetchAsync(
        RestoreSession session,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        var retry = ServerRetry.Create(session.Settings.RetryTime, session.Output, TimeProvider.System);
        return await retry.RunAsync(of => FetchNowAsync(session, backup, of), cancellationToken);
    }

    /// <summary>
    /// What the manifest says besides parts. If this run has fetched it before, the server is not asked again.
    /// </summary>
    /// <param name="isNeeded">False: if the server does not answer, nothing is retried.</param>
    /// <exception cref="OperationException">As <see cref="FetchAsync"/>.</exception>
    public static async Task<Manifest> FetchHeaderAsync(
        RestoreSession session,
        SnapshotInfo backup,
        bool isNeeded,
        CancellationToken cancellationToken
    )
    {
        if (session.Manifests.Find(backup) is { } known)
            return known;
        if (isNeeded)
            return (await FetchAsync(session, backup, cancellationToken)).Header;
        return (await FetchNowAsync(session, backup, cancellationToken)).Header;
    }

    /// <summary>
    /// Whether the server has no manifest or a wrong one. The backup itself may still be complete and valid.
    /// </summary>
    public static bool IsUnavailable(OperationException e) =>
        e.Kind == FailureKind.Stream || e is ApiException { Status: HttpStatusCode.NotFound };

    private static async Task<DownloadedManifest> FetchNowAsync(
        RestoreSession session,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        await using var body = await new BackupSource(session.Server, backup).OpenManifestAsync(cancellationToken);
        var manifest = await ReadAsync(backup, body, cancellationToken);
        session.Manifests.Add(backup, manifest.Header);
        return manifest;
    }

    private static async Task<DownloadedManifest> ReadAsync(
        SnapshotInfo backup,
        Stream json,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var parts = new PartTable(backup.StorageKey);
            Manifest header;
            if (backup.IsLocal)
            {
                header = Manifest.ParseLocal(await ReadSmallAsync(json, cancellationToken));
            }
            else
            {
                header = await ManifestReader.ReadAsync(json, parts.Add, cancellationToken);
                parts.Complete();
            }

            if (header.PartsSha256 == backup.PartsSha256 && header.StoredBytes == backup.SizeBytes)
                return new DownloadedManifest(header, parts);
            throw new OperationException(
                ExitCode.Damaged,
                $"the manifest of {backup.SnapshotId} does not belong to the listed backup"
            );
        }
        catch (JsonException e)
        {
            throw new OperationException(
                ExitCode.Damaged,
                $"the manifest of {backup.SnapshotId} is not valid: {e.Message}",
                innerException: e
            );
        }
    }

    private static async Task<byte[]> ReadSmallAsync(Stream json, CancellationToken cancellationToken)
    {
        var content = new byte[MaxLocalManifest + 1];
        var length = await json.ReadAtLeastAsync(content, content.Length, throwOnEndOfStream: false, cancellationToken);
        return length <= MaxLocalManifest
            ? content[..length]
            : throw new JsonException($"it is longer than {MaxLocalManifest} bytes");
    }
}
