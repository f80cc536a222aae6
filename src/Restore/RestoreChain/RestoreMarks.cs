using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// The properties that a dataset has only because a restore works on it: marks of this program, and what keeps others
/// away from it. A finished restore removes all of them.
/// </summary>
internal static class RestoreMarks
{
    /// <summary>Marks a dataset that a restore is receiving. Backups leave out what is marked.</summary>
    public const string Mark = DatasetLister.RestoreProperty;

    /// <summary>The value of <see cref="Mark"/>.</summary>
    public const string Partial = "partial";

    /// <summary>The <see cref="ChainDigest"/> of the backups that the dataset was received from.</summary>
    public const string Received = "zfs-snapshot-manager:restore-of";

    /// <summary>
    /// Tools that make automatic snapshots heed <c>com.sun:auto-snapshot</c>: a snapshot between two streams can
    /// prevent the second from being received. A volume without a device is not opened by udev, LVM or multipath, which
    /// could take it for the running original.
    /// </summary>
    private static readonly (string Name, string Value)[] Temporary =
    [
        ("com.sun:auto-snapshot", "false"),
        ("volmode", "none"),
    ];

    /// <summary>
    /// Options of <c>zfs receive</c> for the first stream. A file system is mounted neither now (-u) nor at the next
    /// boot (canmount=noauto): a restored dataset inherits a mountpoint from its parent, and mounted there it could
    /// hide files in use (docs/decisions/0008). Incrementals and resumed receives keep what the first one set.
    /// </summary>
    /// <param name="received">The <see cref="ChainDigest"/> to note.</param>
    /// <param name="isVolume">Volumes have no canmount, and file systems no volmode.</param>
    public static IReadOnlyList<string> CreationOptions(string received, bool isVolume)
    {
        string[] properties =
        [
            $"{Mark}={Partial}",
            $"{Received}={received}",
            RestoreClaim.CreationProperty,
            .. Temporary
                .Where(property => isVolume || property.Name != "volmode")
                .Select(property => $"{property.Name}={property.Value}"),
            isVolume ? "" : "canmount=noauto",
        ];
        return
        [
            .. properties.Where(property => property.Length > 0).SelectMany(property => (string[])["-o", property]),
        ];
    }

    /// <summary>Notes what is received next.</summary>
    public static Task NoteAsync(
        ZfsHost zfs,
        DatasetName dataset,
        string received,
        CancellationToken cancellationToken
    ) => zfs.RunAsync(["set", $"{Received}={received}", dataset.Value], cancellationToken);

    /// <summary>
    /// Removes what keeps others away. This happens before the dataset has its final name: a run that is killed between
    /// the two is repeated, and does both.
    /// </summary>
    /// <param name="restored">Properties that it has from its backup, which stay.</param>
    public static async Task RemoveTemporaryAsync(
        ZfsHost zfs,
        DatasetName dataset,
        IReadOnlyCollection<string> restored,
        CancellationToken cancellationToken
    )
    {
        var names = string.Join(',', Temporary.Select(property => property.Name));
        var rows = await zfs.RunTableAsync(
            ["get", "-H", "-o", "property,value,source", names, dataset.Value],
            cancellationToken
        );
        foreach (var row in rows)
        {
            if (row is [var name, var value, "local"] && Temporary.Contains((name, value)) && !restored.Contains(name))
                await zfs.RunAsync(["inherit", name, dataset.Value], cancellationToken);
        }
    }

    /// <summary>
    /// Removes the marks of a dataset that has its final name. <see cref="Mark"/> is last: as long as it exists, the
    /// next run repeats this (<see cref="EarlierRun"/>).
    /// </summary>
    public static async Task RemoveAsync(ZfsHost zfs, DatasetName dataset)
    {
        foreach (var property in (string[])[Received, RestoreClaim.Property, Mark])
            await zfs.RunAsync(["inherit", property, dataset.Value], CancellationToken.None);
    }
}
