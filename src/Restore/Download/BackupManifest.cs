using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>The manifest of a backup, as the server gives it out.</summary>
internal static class BackupManifest
{
    /// <exception cref="OperationException">
    /// It is not to be had (<see cref="IsLacking"/>), or the server is away for too long, or refuses.
    /// </exception>
    public static async Task<Manifest> FetchAsync(
        RestoreSession session,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    )
    {
        var source = new BackupSource(session.Server, backup);
        var retry = new RetryPolicy(session.Settings.RetryTime, TransientFailure.OfDownload, TimeProvider.System, why =>
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
            catch (OperationException e) when (TransientFailure.OfDownload(e))
            {
                await retry.WaitAsync(e, failures, cancellationToken);
            }
        }
    }

    /// <summary>Whether the server has none, or not the right one: the backup itself may be whole.</summary>
    public static bool IsLacking(OperationException e) => e.ExitCode is ExitCode.NotFound or ExitCode.Damaged;

    private static Manifest Parse(SnapshotInfo backup, ReadOnlySpan<byte> json)
    {
        try
        {
            var manifest = backup.IsLocal ? Manifest.ParseLocal(json) : Manifest.Parse(json);
            return manifest.PartsSha256 == backup.PartsSha256 && manifest.StoredBytes == backup.SizeBytes
                ? manifest
                : throw new OperationException(
                    ExitCode.Damaged,
                    $"the manifest of {backup.SnapshotId} is not that of the listed backup"
                );
        }
        catch (JsonException e)
        {
            throw new OperationException(
                ExitCode.Damaged,
                $"the manifest of {backup.SnapshotId} is not one: {e.Message}",
                innerException: e
            );
        }
    }
}
