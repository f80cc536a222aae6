using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>Reads the keys of a store: to which backup an object belongs.</summary>
internal static class BackupKey
{
    private const string ManifestEnd = ".manifest.json";

    public static bool IsManifest(string objectKey) => objectKey.EndsWith(ManifestEnd, StringComparison.Ordinal);

    /// <summary>
    /// The key of the backup that an object belongs to: <c>KEY</c> of <c>KEY.manifest.json</c> and of a further object
    /// <c>KEY.0002</c>; else its own.
    /// </summary>
    public static string Of(string objectKey)
    {
        if (IsManifest(objectKey))
            return objectKey[..^ManifestEnd.Length];
        var dot = objectKey.LastIndexOf('.');
        return
            dot >= 0
            && objectKey.Length - dot > 4
            && objectKey.AsSpan(dot + 1).IndexOfAnyExceptInRange('0', '9') < 0
            && FormatOf(objectKey[..dot]) is not null
            ? objectKey[..dot]
            : objectKey;
    }

    /// <summary>The key without its extension; null where it is no backup's.</summary>
    public static string? SnapshotIdOf(string key) =>
        FormatOf(key) is { } format && ClientIdOf(key) is not null ? key[..^format.Extension().Length] : null;

    /// <summary>The client whose folder it lies in; null where it lies in no client's.</summary>
    public static string? ClientIdOf(string key) =>
        key.Split('/') is [var client, { Length: > 0 }] && ClientIdRule.IsValid(client) ? client : null;

    /// <summary>How a backup with this key is compressed; null where the key is no backup's.</summary>
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
