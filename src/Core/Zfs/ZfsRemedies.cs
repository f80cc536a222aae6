namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// What to do about a message of ZFS. The messages are those of OpenZFS's lib/libzfs (libzfs_util.c, libzfs_sendrecv.c,
/// libzfs_dataset.c) in the C locale; tests provoke each on real ZFS.
/// </summary>
public static class ZfsRemedies
{
    /// <summary>The first match counts, so specific messages come before general ones.</summary>
    private static readonly (string Words, string Remedy)[] Known =
    [
        (
            "pool I/O is currently suspended",
            "The pool is suspended because its devices are unavailable: see 'zpool status', bring the devices "
                + "back, then run 'zpool clear'. Nothing that was stored before is lost."
        ),
        (
            "and was given up",
            "See 'zpool status' and the kernel's log: the pool may be suspended, or a disk may not answer."
        ),
        (
            "was given up and does not end",
            "See 'zpool status' and the kernel's log: the pool may be suspended, or a disk may not answer."
        ),
        (
            "Input/output error",
            "ZFS cannot read a block: 'zpool status -v POOL' names the damaged files. In the dataset that is backed "
                + "up, delete them or replace them by good copies; the next backup takes a new snapshot. A dataset "
                + "that holds received backups must stay unchanged. Other datasets and earlier backups are not "
                + "affected."
        ),
        ("no such pool", "The pool is not imported: see 'zpool import', or check the name with 'zpool list'."),
        (
            "IV set guid missing",
            "The snapshot or bookmark was made by an old ZFS (before 2.1.6, or 0.8) and lacks what raw incrementals "
                + "need (OpenZFS errata 4). Make a new full backup: zfs-client backup-full."
        ),
        (
            "IV set guid mismatch",
            "Raw streams can only follow the exact snapshots that they were made from, received raw as well; one "
                + "in between was not. Restore the chain from its full backup into a new dataset."
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
            "Run as root, or let root delegate the missing permissions: 'doctor' prints the exact 'zfs allow' line."
        ),
        (
            "partially-complete state",
            "An interrupted receive left its state in the dataset: resume it, or drop it with 'zfs receive -A'."
        ),
        ("must specify -F", "Choose a dataset that does not exist yet, or use --force."),
        ("destination has snapshots", "Choose a dataset that does not exist yet, or use --force."),
        (
            "does not match incremental source",
            "Its newest snapshot is not the base of the stream: restore into a new dataset, or use --force."
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
        ("being held", "The snapshot is held: 'zfs holds' shows the tags, 'zfs release' removes one."),
        ("has dependent clones", "A clone depends on the snapshot: 'zfs promote' the clone or destroy it first."),
        ("has children", "Other datasets or snapshots are below it: name them, or remove them first."),
        (
            "is busy",
            "The dataset is in use. Leave its directories, stop processes that have files open there, or wait for a "
                + "running receive to finish; 'zfs holds' shows holds. Then try again."
        ),
        ("already exists", "Choose another name, or remove the dataset or snapshot that exists."),
        (
            "checksum mismatch",
            "The stream was damaged on its way into 'zfs receive'; nothing of the snapshot was kept. Run the command "
                + "again."
        ),
        (
            "unsupported feature",
            "The pool is older than the one that the stream came from: run 'zpool upgrade', or restore on a newer ZFS."
        ),
        (
            "must be upgraded",
            "The pool or ZFS is older than the stream requires: run 'zpool upgrade', or restore on a newer ZFS."
        ),
        ("read-only", "The pool or dataset is read-only: import it for writing, or choose another."),
        ("does not exist", "Check the name with 'zfs list -t all'."),
        ("The ZFS modules", "Load the module with 'modprobe zfs'."),
    ];

    /// <returns>Null if the message is not known.</returns>
    public static string? Find(string standardError)
    {
        // ZFS breaks the lines of its messages at varying places.
        var words = string.Join(
            ' ',
            standardError.Split((char[])[' ', '\n', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries)
        );
        return Known.FirstOrDefault(known => words.Contains(known.Words, StringComparison.OrdinalIgnoreCase)).Remedy;
    }
}
