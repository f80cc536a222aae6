using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// The ranges of the values in a server's answers. Outside of them a program would allocate what the server likes,
/// count beyond 64 bits, or delete more than anybody means.
/// </summary>
internal static class AnswerRules
{
    private const int MaxItems = 1_000_000;

    /// <summary>Characters of a name or id: of a dataset and a snapshot, with room.</summary>
    private const int MaxName = 1024;

    /// <summary>Bytes of one backup: more than any disk has.</summary>
    private const long MaxBytes = 1L << 60;

    /// <summary>Bytes of all backups together, so that sums stay within 64 bits.</summary>
    private const long MaxTotal = 1L << 62;

    /// <summary>The largest PART_SIZE_MIB and S3_PART_SIZE_MIB of a server.</summary>
    private const int MaxPartSize = 512 * 1024 * 1024;

    /// <summary>Returns what is wrong with an answer, human-readable; null if nothing is.</summary>
    public static string? FindFault<T>(T answer) =>
        answer switch
        {
            SnapshotsAnswer list => FindFault(list),
            UploadsAnswer list => FindFault(list),
            UploadAnswer upload => FindFault(upload),
            UploadStateAnswer { Snapshot: { } backup } => FindFault(backup),
            StatusAnswer status => FindFault(status),
            RotationPolicyAnswer policy => FindFault(policy.RotationPolicy),
            RotateAnswer rotation => FindFault(rotation),
            _ => null,
        };

    private static string? FindFault(SnapshotsAnswer list)
    {
        if (list.Snapshots.Count > MaxItems)
            return $"it lists {list.Snapshots.Count} backups; expected at most {MaxItems}";
        HashSet<string> ids = new(list.Snapshots.Count, StringComparer.Ordinal);
        var (stored, streams) = (0L, 0L);
        foreach (var backup in list.Snapshots)
        {
            if (FindFault(backup) is { } fault)
                return fault;
            if (!ids.Add(backup.SnapshotId))
                return $"it lists {backup.SnapshotId} twice";
            if ((stored += backup.SizeBytes) > MaxTotal || (streams += backup.StreamBytes) > MaxTotal)
                return $"the backups have more than {MaxTotal} bytes";
        }

        return null;
    }

    private static string? FindFault(SnapshotInfo? backup)
    {
        if (backup is null)
            return "a backup is null";
        if (!IsName(backup.SnapshotId) || !IsName(backup.StorageKey))
            return "a backup has no id";
        if (!IsName(backup.DatasetName) || !IsName(backup.SnapshotName))
            return $"{backup.SnapshotId} has no name";
        if (!IsSize(backup.SizeBytes) || !IsSize(backup.StreamBytes))
            return $"{backup.SnapshotId} has {backup.SizeBytes} bytes, from {backup.StreamBytes}";
        if (!AreWords(backup.Features) || !AreWords(backup.SendFlags))
            return $"{backup.SnapshotId} has features or flags that are no words";
        return Enum.IsDefined(backup.SnapshotType) ? null : $"{backup.SnapshotId} has no snapshot type";
    }

    private static string? FindFault(UploadsAnswer list)
    {
        if (list.Uploads.Count > MaxItems)
            return $"it lists {list.Uploads.Count} uploads; expected at most {MaxItems}";
        foreach (var upload in list.Uploads)
        {
            if (upload is null || !IsUploadId(upload.UploadId))
                return "an upload has no id";
            if (!AreWords(upload.SendFlags))
                return $"the upload {upload.UploadId} has flags that are no words";
        }

        return null;
    }

    private static string? FindFault(UploadAnswer upload)
    {
        if (!IsUploadId(upload.UploadId))
            return "the upload has no id";
        return upload.PartSize is > 0 and <= MaxPartSize
            ? null
            : $"part_size is {upload.PartSize}; expected 1 to {MaxPartSize}";
    }

    private static string? FindFault(StatusAnswer status) =>
        (status.Machines ?? []).All(machine => machine is not null)
        && status.MaxSizeBytes >= 0
        && IsSize(status.UsedBytes)
        && IsSize(status.ReservedBytes)
        && status is { SnapshotCount: >= 0, OpenUploads: >= 0, ExpiringCount: >= 0 }
            ? null
            : "a number or a machine is impossible";

    private static string? FindFault(RotateAnswer rotation)
    {
        if (rotation.Decisions.Count > MaxItems)
            return $"it has {rotation.Decisions.Count} decisions; expected at most {MaxItems}";
        if (rotation.Decisions.Any(item => item is null || !IsName(item.SnapshotId) || !IsSize(item.SizeBytes)))
            return "a decision is impossible";
        if (rotation is not { DeletedCount: >= 0, ReclaimedBytes: >= 0, ExpiringCount: >= 0 })
            return "a number is impossible";
        return rotation.RotationPolicy is { } policy ? FindFault(policy) : null;
    }

    private static string? FindFault(RotationPolicy policy) =>
        policy.FindFault() is { } fault ? $"rotation_policy: {fault}" : null;

    private static bool IsSize(long bytes) => bytes is >= 0 and <= MaxBytes;

    private static bool IsName(string name) => name.Length is > 0 and <= MaxName;

    /// <summary>It becomes part of a path.</summary>
    private static bool IsUploadId(string id) =>
        id.Length is > 0 and <= 128 && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    private static bool AreWords(IReadOnlyList<string> words) =>
        words.Count <= 100 && words.All(word => word is { Length: > 0 and <= 100 });
}
