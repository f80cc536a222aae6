namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// Conditions that only a bug can break, checked where bytes become promises: when a backup is committed, and again
/// when it is read. A broken one ends the request or command, not the server.
/// </summary>
internal static class Invariant
{
    /// <param name="claim">What must be true, as a sentence without a full stop.</param>
    /// <exception cref="InvariantException">It is not true.</exception>
    public static void Require(bool holds, string claim)
    {
        if (!holds)
            throw new InvariantException(claim);
    }
}

/// <summary>An <see cref="Invariant"/> is broken.</summary>
internal sealed class InvariantException(string claim) : Exception($"This must be true and is not: {claim}.");
