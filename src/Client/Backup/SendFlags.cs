using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// With which flags of <c>zfs send</c> a chain begins; it keeps them to its end (openzfs#6224, #8375).
/// </summary>
internal static class SendFlags
{
    /// <summary>
    /// Blocks as they are on disk, encrypted; it implies <c>-L</c>, <c>-e</c> and <c>-c</c> (cmd/zfs/zfs_main.c).
    /// </summary>
    public const string Raw = "-w";

    private static readonly string[] ForRaw = [Raw];

    /// <summary>Where this program does not compress, blocks may as well come as ZFS has compressed them.</summary>
    private static readonly string[] ForUncompressed = ["-L", "-c"];

    /// <remarks><c>-e</c> is never used: it loses spill blocks (docs/decisions/0012).</remarks>
    public static IReadOnlyList<string> ForFull(DatasetFacts dataset, ClientSettings settings)
    {
        if (dataset.IsEncrypted && settings.RawSend)
            return ForRaw;
        return settings.Compression == CompressionFormat.None && !dataset.IsEncrypted
            ? ForUncompressed
            : ZfsSend.DefaultFlags;
    }
}
