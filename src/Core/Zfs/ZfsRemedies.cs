namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// What to do about what ZFS says. Its words are those of OpenZFS's lib/libzfs (libzfs_util.c, libzfs_sendrecv.c,
/// libzfs_dataset.c) in the C locale; tests provoke each on real ZFS.
/// </summary>
public static class ZfsRemedies
{
    /// <summary>The first that fits counts, so that the narrower ones stand before the wider ones.</summary>
    private static readonly (string Words, string Remedy)[] Known =
    [
        (
            "pool I/O is currently suspended",
            "The pool has lost its disks and waits for them: see 'zpool status', bring the disks back, then 'zpool "
                + "clear'. Nothing that was stored before is lost."
        ),
        ("no such pool", "The pool is not imported: see 'zpool import', or check the name with 'zpool list'."),
        (
            "IV set guid missing",
            "The snapshot or bookmark was made by an old ZFS (before 2.1.6, or 0.8) and lacks what raw incrementals "
                + "need (OpenZFS errata 4). Make a new full backup: zfs-client backup-full."
        ),
        (
            "IV set guid mismatch",
            "Raw streams can only follow the very snapshots that they were made from, received raw as well: one in "
                + "between was not. Restore the chain from its full backup into a new dataset."
        ),
        (
            "key must be loaded",
            "The dataset's encryption key is not loaded: 'zfs load-key'. Raw backups (RAW_SEND=auto) need no key."
        ),
        (
            "key not loaded",
            "The dataset's encryption key is not loaded: 'zfs load-key'. Raw backups (RAW_SEND=auto) need no key."
        ),
        (
            "overwrite an unencrypted one with an encrypted one",
            "An encrypted stream cannot replace a dataset in place: restore into a dataset that does not exist yet."
        ),
        (
            "permission denied",
            "Run as root, or let root delegate what is missing: the command 'doctor' prints the exact 'zfs allow' line."
        ),
        (
            "partially-complete state",
            "An interrupted receive left its state there: go on with it, or drop it with 'zfs receive -A'."
        ),
        ("must specify -F", "Choose a dataset that does not exist yet, or use --force."),
        ("destination has snapshots", "Choose a dataset that does not exist yet, or use --force."),
        (
            "does not match incremental source",
            "Its newest snapshot is not the one that the stream builds on: restore into a new dataset, or use --force."
        ),
        (
            "has been modified",
            "The dataset was changed after it was received: restore into a new dataset, or use --force."
        ),
        (
            "not an earlier snapshot",
            "The base is newer than the snapshot, or of another dataset: make a full backup (zfs-client backup-full)."
        ),
        (
            "quota exceeded",
            "The quota of the dataset, or of one above it, is used up: see 'zfs get -r quota,refquota', raise it, or "
                + "free space below it."
        ),
        (
            "out of space",
            "Free space in the pool, or use another pool. ZFS needs some space even to destroy: remove old snapshots "
                + "first."
        ),
        ("being held", "Somebody holds the snapshot: 'zfs holds' shows who, 'zfs release' lets go of it."),
        ("has dependent clones", "A clone needs the snapshot: 'zfs promote' the clone or destroy it first."),
        ("has children", "Other datasets or snapshots are below it: name them, or remove them first."),
        (
            "is busy",
            "Something uses it: leave its directories, stop what has files open there, let a running receive end, "
                + "'zfs holds' shows holds; then try again."
        ),
        ("already exists", "Choose another name, or remove what is there."),
        (
            "checksum mismatch",
            "The stream was damaged on its way into 'zfs receive'; nothing of the snapshot was kept. Run it again."
        ),
        (
            "unsupported feature",
            "The pool here is older than the one that the stream came from: 'zpool upgrade', or restore on a newer ZFS."
        ),
        (
            "must be upgraded",
            "The pool or ZFS here is older than what the stream needs: 'zpool upgrade', or restore on a newer ZFS."
        ),
        ("read-only", "The pool or dataset is read-only: import it for writing, or choose another."),
        ("does not exist", "Check the name with 'zfs list -t all'."),
        ("The ZFS modules", "Load the module with 'modprobe zfs'."),
    ];

    /// <returns>Null for what is not known.</returns>
    public static string? Find(string standardError)
    {
        // ZFS breaks its lines where it likes.
        var words = string.Join(
            ' ',
            standardError.Split((char[])[' ', '\n', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries)
        );
        return Known.FirstOrDefault(known => words.Contains(known.Words, StringComparison.OrdinalIgnoreCase)).Remedy;
    }
}
