namespace ZfsSnapshotManager.Tests;

/// <summary>
/// One draw of a random test. With its own seed as ZSM_SEED it is the first draw: so that a failure can be repeated
/// without the draws before it, a test must get all that is random in a draw from here.
/// </summary>
internal sealed class Draw(int seed)
{
    public int Seed => seed;

    public Random Random { get; } = new(seed);

    /// <summary>For the message of a failure: the setting that repeats it.</summary>
    public override string ToString() => $"ZSM_SEED={seed}";
}
