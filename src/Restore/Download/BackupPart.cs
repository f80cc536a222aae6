using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>A part of a backup's stored bytes, and where it is.</summary>
/// <param name="Key">The object that holds it.</param>
/// <param name="KeyOffset">Where it begins in the object.</param>
/// <param name="Offset">Where it begins in the backup.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Sha256">Its digest, 32 bytes.</param>
internal sealed record BackupPart(string Key, long KeyOffset, long Offset, int Size, byte[] Sha256)
{
    /// <summary>Where the part behind it begins.</summary>
    public long End => Offset + Size;

    /// <summary>The parts of a manifest that was checked, so that every one has its digest.</summary>
    public static IReadOnlyList<BackupPart> ListOf(Manifest manifest)
    {
        List<BackupPart> parts = [];
        var start = 0L;
        foreach (var stored in manifest.Objects)
        {
            var offset = 0L;
            foreach (var part in stored.Parts)
            {
                parts.Add(
                    new BackupPart(stored.Key, offset, start + offset, part.Size, Convert.FromHexString(part.Sha256!))
                );
                offset += part.Size;
            }

            start += offset;
        }

        return parts;
    }
}
