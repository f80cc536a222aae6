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
    private static readonly string[] ForRaw = [ZfsSend.Raw];

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

    /// <summary>
    /// Decides with which flags a chain is continued, of which only the server knows how it was sent. Whether that is
    /// raw is this machine's decision: the server may be wrong, or lie, about both.
    /// </summary>
    /// <param name="named">The flags that the server names; none if the chain was uploaded without saying how it was
    /// sent. Then they are those of this kind of stream: raw as now, otherwise the ones that every version of this
    /// program has used.</param>
    /// <param name="fullFlags">Those of <see cref="ForFull"/>.</param>
    /// <returns>The flags; or why the chain cannot be continued, as the end of a sentence.</returns>
    public static (IReadOnlyList<string>? Flags, string? Obstacle) Continue(
        IReadOnlyList<string> named,
        IReadOnlyList<string> fullFlags
    )
    {
        var raw = fullFlags.Contains(ZfsSend.Raw);
        if (named.Count == 0)
            return (raw ? ForRaw : ZfsSend.DefaultFlags, null);
        if (named.Any(flag => !ZfsSend.KnownFlags.Contains(flag)) || named.Distinct().Count() != named.Count)
            return (null, "the server names flags of zfs send that this program does not use");
        if (named.Contains(ZfsSend.Raw) != raw)
            return raw
                ? (null, $"the server says that it was sent without {ZfsSend.Raw}, and the dataset is only sent raw")
                : (null, $"the server says that it was sent with {ZfsSend.Raw}, and the dataset is not sent raw");
        return (named, null);
    }
}
