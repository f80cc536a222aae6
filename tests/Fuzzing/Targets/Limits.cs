namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>
/// What one input may cost: memory that grows with the input, by a factor that is the same for all inputs.
/// </summary>
internal static class Limits
{
    /// <summary>Longer inputs are cut off: short ones find the same faults faster.</summary>
    public const int LongestInput = 64 * 1024;

    /// <summary>Bytes for the buffers of readers and writers, if the array pool is empty and they grow.</summary>
    public const long Buffers = 4 << 20;

    /// <summary>
    /// Bytes that may be allocated whatever the input: state, the decompressor of tokens, the traces of exceptions.
    /// </summary>
    private const long Base = 128 << 10;

    /// <summary>
    /// Bytes that may be allocated for each byte of input: strings, lists, and their copies while they grow.
    /// </summary>
    private const long Factor = 24;

    /// <summary>
    /// The longest message of a refusal: it appears in logs and responses, so it must not repeat a long input.
    /// </summary>
    private const int LongestMessage = 2000;

    /// <summary>
    /// Does the work of one input, and measures what it allocates on this thread: which is all of it, since the work
    /// does not wait.
    /// </summary>
    /// <param name="length">Bytes of the input.</param>
    /// <param name="work">The work.</param>
    /// <param name="buffers">Bytes that it needs for buffers.</param>
    public static T Bounded<T>(long length, Func<T> work, long buffers = 0)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var result = work();
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        FuzzFinding.Unless(
            allocated <= Base + buffers + (Factor * length),
            $"{allocated} bytes were allocated for an input of {length}"
        );
        return result;
    }

    /// <summary>The input as the targets use it.</summary>
    public static ReadOnlySpan<byte> Shortened(ReadOnlySpan<byte> input) =>
        input[..Math.Min(input.Length, LongestInput)];

    /// <summary>Throws if the message of a refusal is too long.</summary>
    public static T Short<T>(T refusal)
        where T : Exception
    {
        var length = refusal.Message.Length;
        FuzzFinding.Unless(
            length <= LongestMessage,
            $"a message of {length} characters: {refusal.Message[..Math.Min(length, 100)]} …"
        );
        return refusal;
    }
}
