using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Rotation;

/// <summary>Valid streams of invented snapshots, with the time that a test needs.</summary>
internal static class StreamChain
{
    private const int CreationTimeOffset = 16;

    /// <param name="guid">The snapshot's.</param>
    /// <param name="from">The base's; 0: a full stream.</param>
    /// <param name="time">When the snapshot was made.</param>
    /// <param name="blocks">Of 128 KiB that do not compress.</param>
    public static byte[] Stream(ulong guid, ulong from, DateTimeOffset time, int blocks = 1)
    {
        var builder = new StreamBuilder()
            .Begin(guid, from, $"tank/data@s{guid}", change: fields =>
                BitConverter.TryWriteBytes(fields.AsSpan(CreationTimeOffset), time.ToUnixTimeSeconds())
            )
            .Object(1, bonus: []);
        for (var block = 0; block < blocks; block++)
            builder = builder.Write(1, (ulong)block * 131072, StreamBuilder.Noise(131072, ((int)guid * 1000) + block));
        return builder.End().ToArray();
    }
}
