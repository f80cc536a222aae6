namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// Conditions that only a defect of this program can break, checked in release builds too, where bytes become promises:
/// what was read, what was sent and what the server acknowledged must agree. A broken one ends the backup.
/// </summary>
internal static class Invariant
{
    /// <param name="holds">Whether the condition holds.</param>
    /// <param name="claim">What must be true, as a clause without a full stop.</param>
    /// <exception cref="InvalidOperationException">It does not hold.</exception>
    public static void Require(bool holds, string claim)
    {
        if (!holds)
            throw new InvalidOperationException($"A defect of zfs-client: it must be true that {claim}.");
    }
}
