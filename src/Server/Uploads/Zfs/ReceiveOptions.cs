using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// Properties with which a dataset is received. Streams carry none, packages apart, which are refused; but a dataset
/// inherits what its parents have, and nothing that a client sent may be mounted, run, shared or written to here,
/// whatever those are.
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
    /// A volume has a device where volmode is not none: whoever may read it reads the client's file systems, and udev
    /// looks at them.
    /// </summary>
    private static readonly string[] OfVolume = ["volmode=none", "readonly=on"];

    /// <summary>
    /// A snapshot that somebody else makes would be newer than the base of the next incremental, which then could not
    /// be received.
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
