using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>A part of a backup's stored bytes, and its location.</summary>
/// <param name="Key">The object that contains it.</param>
/// <param name="KeyOffset">Its offset in the object, in bytes.</param>
/// <param name="Offset">Its offset in the backup, in bytes.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Sha256">Its digest, 32 bytes.</param>
internal sealed record BackupPart(string Key, long KeyOffset, long Offset, int Size, byte[] Sha256)
{
    /// <summary>The offset of the next part.</summary>
    public long End => Offset + Size;

    /// <summary>Lists the parts of a validated manifest, in which every part has its digest.</summary>
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
