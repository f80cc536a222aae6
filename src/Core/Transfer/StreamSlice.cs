namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>How a stream is handed from one step to the next.</summary>
public static class StreamSlice
{
    /// <summary>
    /// The most bytes that are handed on at once: few calls, and what one step wrote is still in the processor's
    /// cache when the next one reads it.
    /// </summary>
    public const int Size = 256 * 1024;
}
