using System.Net;
using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>Fetches the manifest of a backup from the server.</summary>
internal static class ManifestDownload
{
    /// <exception cref="OperationException">
    /// It is not available (<see cref="IsUnavailable"/>), or the server is unreachable for too long, or refuses.
    /// </exception>
    public static async Task<Manifest> FetchAsync(
        RestoreSession session,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        var source = new BackupSource(session.Server, backup);
        var retry = new RetryPolicy(session.Settings.RetryTime, TimeProvider.System, why =>
        {
            if (why is not null)
                session.Output.Note(why);
        });
        for (var failures = 1; ; failures++)
        {
            try
            {
                await using var body = await source.OpenManifestAsync(cancellationToken);
                using var json = new MemoryStream();
                await body.CopyToAsync(json, cancellationToken);
                return Parse(backup, json.GetBuffer().AsSpan(0, (int)json.Length));
            }
            catch (OperationException e) when (e.Kind == FailureKind.Transient)
            {
                await retry.WaitAsync(e, failures, cancellationToken);
            }
        }
    }

    /// <summary>
    /// Whether the server has no manifest or a wrong one. The backup itself may still be complete and valid.
    /// </summary>
    public static bool IsUnavailable(OperationException e) =>
        e.Kind == FailureKind.Stream || e is ApiException { Status: HttpStatusCode.NotFound };

    private static Manifest Parse(SnapshotInfo backup, ReadOnlySpan<byte> json)
    {
        try
        {
            var manifest = backup.IsLocal ? Manifest.ParseLocal(json) : Manifest.Parse(json);
            if (manifest.PartsSha256 == backup.PartsSha256 && manifest.StoredBytes == backup.SizeBytes)
                return manifest;
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
}
