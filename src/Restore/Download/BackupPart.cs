namespace ZfsSnapshotManager.Restore.Download;

/// <summary>A part of a backup's stored bytes, and its location.</summary>
/// <param name="Key">The object that contains it.</param>
/// <param name="KeyOffset">Its offset in the object, in bytes.</param>
/// <param name="Offset">Its offset in the backup, in bytes.</param>
/// <param name="Size">In bytes.</param>
/// <param name="DigestStart">The first eight bytes of its SHA-256, big-endian.</param>
/// <param name="GroupDigest">For the last part of a group: the joined SHA-256 of the group's parts
/// (<see cref="DigestTree"/>), 32 bytes; null for the others.</param>
internal sealed record BackupPart(
    string Key,
    long KeyOffset,
    long Offset,
    int Size,
    ulong DigestStart,
    byte[]? GroupDigest
);
