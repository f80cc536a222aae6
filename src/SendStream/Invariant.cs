namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Checks, in release builds too, that this library did what it promises where bytes become promises: a state that is
/// stored, an offset at which streams are joined. A failure is a defect of the library, not of the stream; it ends the
/// operation, not the process.
/// </summary>
internal static class Invariant
{
    /// <summary>Requires a condition.</summary>
    /// <param name="holds">Whether it holds.</param>
    /// <param name="promise">What was promised, as a clause without a full stop.</param>
    /// <exception cref="InvalidOperationException">It does not hold.</exception>
    public static void Require(bool holds, string promise)
    {
        if (!holds)
            throw new InvalidOperationException($"A defect of the send-stream library: expected that {promise}.");
    }
}
