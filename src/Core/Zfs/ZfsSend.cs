using System.Globalization;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// <c>zfs send</c> of one snapshot: full, or incremental from a snapshot or bookmark of the same dataset.
/// </summary>
/// <param name="Snapshot">The snapshot that is sent.</param>
/// <param name="Base">Where an incremental starts; null for a full one.</param>
/// <param name="Flags">Flags such as <c>-L</c>. All members of a chain are sent with the same ones: an incremental
/// without <c>-L</c> on a base with it can damage files (openzfs#6224).</param>
public sealed record ZfsSend(SnapshotName Snapshot, SnapshotName? Base, IReadOnlyList<string> Flags)
{
    /// <summary>
    /// Blocks as they are on disk, encrypted; it implies <c>-L</c>, <c>-e</c> and <c>-c</c> (cmd/zfs/zfs_main.c).
    /// </summary>
    public const string Raw = "-w";

    /// <summary>
    /// <c>-L</c>: blocks above 128 KiB are not split, so that a restored dataset has the blocks of its source.
    /// </summary>
    public static IReadOnlyList<string> DefaultFlags { get; } = ["-L"];

    /// <summary>Flags that a chain may have. The other flags of <c>zfs send</c> change what is sent, not how.</summary>
    public static IReadOnlyList<string> KnownFlags { get; } = ["-L", "-e", "-c", Raw];

    public ZfsProcess Start(ZfsHost zfs) => zfs.StartSending(Arguments([]));

    /// <summary>
    /// Estimates the length of the stream in bytes. The estimate can be far too high or too low, and some versions of
    /// ZFS refuse it for streams that they do send.
    /// </summary>
    public Task<long?> EstimateAsync(ZfsHost zfs, CancellationToken cancellationToken) =>
        EstimateAsync(zfs, Arguments(["-n", "-P"]), cancellationToken);

    /// <summary>
    /// <c>zfs send -t</c>: the rest of a stream that was interrupted. ZFS finds the snapshot and its base by their
    /// GUIDs, and reads the flags from the token.
    /// </summary>
    public static ZfsProcess StartRest(ZfsHost zfs, string token) => zfs.StartSending(["send", "-t", token]);

    /// <summary>Estimates the length of the rest in bytes.</summary>
    public static Task<long?> EstimateRestAsync(ZfsHost zfs, string token, CancellationToken cancellationToken) =>
        EstimateAsync(zfs, ["send", "-n", "-P", "-t", token], cancellationToken);

    private static async Task<long?> EstimateAsync(
        ZfsHost zfs,
        IReadOnlyList<string> arguments,
        CancellationToken cancellationToken
    )
    {
        var rows = await zfs.RunTableAsync(arguments, cancellationToken);
        var size = rows.FirstOrDefault(row => row[0] == "size");
        return size is { Length: 2 } && long.TryParse(size[1], CultureInfo.InvariantCulture, out var bytes)
            ? bytes
            : null;
    }

    private List<string> Arguments(IReadOnlyList<string> more)
    {
        List<string> arguments = ["send", .. more, .. Flags];
        if (Base is not null)
            arguments.AddRange(["-i", Base.ToString()]);
        arguments.Add(Snapshot.ToString());
        return arguments;
    }
}
