using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The syntax of keys in the object store: <c>CLIENT/DATASET_WITH_UNDERSCORES_YYYY-MM-DD_HH:MM:SS.zfs.gz</c>, UTC.
/// Names are human-readable and identify nothing (docs/decisions/0006). docs/storage-format.md describes them.
/// </summary>
internal static class StorageKey
{
    /// <summary>Leaves room in a file name (255 bytes) for the time, the extension and the manifest's.</summary>
    private const int MaxDatasetLength = 180;

    private const string ManifestEnd = ".manifest.json";

    /// <summary>
    /// Endless candidates for a snapshot id and its key: the plain name, then <c>~2</c>, <c>~3</c> and so on for
    /// backups with the same name.
    /// </summary>
    public static IEnumerable<(string SnapshotId, string StorageKey)> Candidates(
        string clientId,
        DatasetName dataset,
        DateTimeOffset time,
        CompressionFormat compression
    )
    {
        var stem = $"{clientId}/{Flatten(dataset, MaxDatasetLength)}_{Timestamps.ForName(time)}";
        return Candidates(stem, 1, compression.Extension());
    }

    /// <summary>The candidates that follow a backup's key: other keys for the same backup.</summary>
    public static IEnumerable<(string SnapshotId, string StorageKey)> CandidatesAfter(string key)
    {
        var id = SnapshotIdOf(key) ?? throw new ArgumentException($"'{key}' is no backup's key.", nameof(key));
        var mark = id.LastIndexOf('~'); // no dataset's name contains one
        var number = mark < 0 ? 1 : int.Parse(id.AsSpan(mark + 1), NumberStyles.None, CultureInfo.InvariantCulture);
        return Candidates(mark < 0 ? id : id[..mark], number + 1, key[id.Length..]);
    }

    private static IEnumerable<(string SnapshotId, string StorageKey)> Candidates(
        string stem,
        int first,
        string extension
    )
    {
        for (var number = first; ; number++)
        {
            var id = number == 1 ? stem : $"{stem}~{number}";
            yield return (id, id + extension);
        }
    }

    /// <summary>A dataset's name as one path component; one that is too long ends in a digest.</summary>
    public static string Flatten(DatasetName dataset, int maxLength)
    {
        var flat = dataset.Value.Replace('/', '_');
        if (flat.Length <= maxLength)
            return flat;
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(dataset.Value)))[..12];
        return $"{flat[..(maxLength - 13)]}-{digest}";
    }

    /// <summary>The key of a backup's manifest.</summary>
    public static string ManifestOf(string key) => key + ManifestEnd;

    public static bool IsManifest(string objectKey) => objectKey.EndsWith(ManifestEnd, StringComparison.Ordinal);

    /// <summary>
    /// The key of the backup that an object belongs to: <c>KEY</c> for <c>KEY.manifest.json</c> and for a further
    /// object <c>KEY.0002</c> (<see cref="Core.Manifests.StoredObject.KeyOf"/>); otherwise the object's own.
    /// </summary>
    public static string BackupOf(string objectKey)
    {
        if (IsManifest(objectKey))
            return objectKey[..^ManifestEnd.Length];
        var dot = objectKey.LastIndexOf('.');
        var isFurther =
            dot >= 0
            && objectKey.Length - dot > 4
            && objectKey.AsSpan(dot + 1).IndexOfAnyExceptInRange('0', '9') < 0
            && FormatOf(objectKey[..dot]) is not null;
        return isFurther ? objectKey[..dot] : objectKey;
    }

    /// <summary>The key without its extension; null if it is not a backup's.</summary>
    public static string? SnapshotIdOf(string key)
    {
        if (FormatOf(key) is not { } format || ClientIdOf(key) is null)
            return null;
        return key[..^format.Extension().Length];
    }

    /// <summary>The client whose directory contains it; null if none does.</summary>
    public static string? ClientIdOf(string key) =>
        key.Split('/') is [var client, { Length: > 0 }] && ClientIdRule.IsValid(client) ? client : null;

    /// <summary>How a backup with this key is compressed; null if it is not a backup's.</summary>
    public static CompressionFormat? FormatOf(string key)
    {
        foreach (var format in Enum.GetValues<CompressionFormat>())
        {
            if (key.EndsWith(format.Extension(), StringComparison.Ordinal))
                return format;
        }

        return null;
    }
}
