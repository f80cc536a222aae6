using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// Chooses the flags of <c>zfs send</c> with which a chain begins. A chain keeps them to its end: an incremental sent
/// with other flags than its base can lose data (openzfs#6224, #8375).
/// </summary>
internal static class SendFlagPolicy
{
    /// <summary>
    /// Blocks as they are on disk, encrypted; it implies <c>-L</c>, <c>-e</c> and <c>-c</c> (cmd/zfs/zfs_main.c).
    /// </summary>
    public const string Raw = "-w";

    private static readonly string[] ForRaw = [Raw];

    /// <summary>If this program does not compress, blocks are sent as ZFS compressed them.</summary>
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
