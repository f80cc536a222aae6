using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// Properties with which a dataset is received. Except for packages, which are refused, streams carry none; but a
/// dataset inherits from its parents. Whatever these have, nothing that a client sent may be mounted, run, shared or
/// written to here.
/// </summary>
internal static class ReceiveOptions
{
    private static readonly string[] OfFilesystem =
    [
        "canmount=off",
        "mountpoint=none",
        "readonly=on",
        "setuid=off",
        "exec=off",
        "devices=off",
        "sharenfs=off",
        "sharesmb=off",
        "atime=off",
    ];

    /// <summary>
    /// Unless volmode is none, a volume has a device: users that may read it can read the client's file systems, and
    /// udev probes them.
    /// </summary>
    private static readonly string[] OfVolume = ["volmode=none", "readonly=on"];

    /// <summary>
    /// A snapshot made by another program would be newer than the base of the next incremental, which then could not be
    /// received.
    /// </summary>
    private const string NoAutomaticSnapshots = "com.sun:auto-snapshot=false";

    public static IReadOnlyList<string> Of(DatasetType type, string clientId, DatasetName source) =>
        [
            .. type == DatasetType.Volume ? OfVolume : OfFilesystem,
            NoAutomaticSnapshots,
            $"{ZfsStorageProperties.Client}={clientId}",
            $"{ZfsStorageProperties.Source}={source}",
        ];
}
