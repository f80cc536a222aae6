using System.Security.Cryptography;
using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Names of stored objects: <c>CLIENT/DATASET_WITH_UNDERSCORES_YYYY-MM-DD_HH:MM:SS.zfs.gz</c>, UTC. A name for people
/// and for the shell; it identifies nothing.
/// </summary>
internal static class StorageKey
{
    /// <summary>Leaves room in a file name (255 bytes) for the time, the extension and the manifest's.</summary>
    private const int MaxDatasetLength = 180;

    /// <summary>
    /// Ids and keys to choose from: the plain one, then <c>~2</c>, <c>~3</c> and so on for those whose names fall
    /// together.
    /// </summary>
    public static IEnumerable<(string SnapshotId, string StorageKey)> Candidates(
        string clientId,
        DatasetName dataset,
        DateTimeOffset time,
        CompressionFormat compression
    )
    {
        var stem = $"{clientId}/{Flatten(dataset, MaxDatasetLength)}_{Timestamps.ForName(time)}";
        for (var number = 1; ; number++)
        {
            var id = number == 1 ? stem : $"{stem}~{number}";
            yield return (id, id + compression.Extension());
        }
    }

    /// <summary>A dataset's name as one component, shortened by a digest where it is too long.</summary>
    public static string Flatten(DatasetName dataset, int maxLength)
    {
        var flat = dataset.Value.Replace('/', '_');
        if (flat.Length <= maxLength)
            return flat;
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(dataset.Value)))[..12];
        return $"{flat[..(maxLength - 13)]}-{digest}";
    }
}
