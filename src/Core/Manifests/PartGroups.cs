namespace ZfsSnapshotManager.Core.Manifests;

/// <summary>
/// The parts of a backup in groups of equally many, a power of two: fewer than 16,384 groups, and in a backup of fewer
/// parts each is a group. A manifest has the state of the stream after each group, and a restore enters the stream
/// there (docs/decisions/0038).
/// </summary>
public static class PartGroups
{
    /// <summary>As soon as there are so many complete groups, neighbours are joined.</summary>
    public const int Max = 1 << 14;

    /// <summary>How many parts a group has; the last one may have fewer.</summary>
    /// <param name="parts">Of the backup.</param>
    public static int SizeFor(int parts)
    {
        var size = 1;
        while (parts / size >= Max)
            size *= 2;
        return size;
    }
}
