using ZfsSnapshotManager.StreamBenchmark;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.ManyClients;

/// <summary>Streams in parts, made once for all clients.</summary>
internal static class Parts
{
    private const int PartSize = 8 << 20;
    private const int BlockSize = 128 << 10;

    /// <summary>Parts that a client sends at once, as zfs-client does.</summary>
    public const int AtOnce = 4;

    private static CutParts? _full;

    /// <summary>A full stream of random data, not compressed.</summary>
    public static CutParts Full(int mebibytes) => _full ??= Cut(SyntheticStream.Make(BlockSize, mebibytes << 20));

    public static CutParts Cut(byte[] stream) => CutParts.Cut(stream, PartSize, new Random(1), gzip: false);
}
