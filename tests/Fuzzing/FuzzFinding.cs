namespace ZfsSnapshotManager.Fuzzing;

/// <summary>The library broke one of its promises.</summary>
/// <param name="message">Which one, and how.</param>
/// <param name="innerException">What it threw instead, if anything.</param>
public sealed class FuzzFinding(string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>Throws unless the condition holds.</summary>
    internal static void Unless(bool holds, string message)
    {
        if (!holds)
            throw new FuzzFinding(message);
    }
}
