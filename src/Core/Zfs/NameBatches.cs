namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>Splits lists of names so that each part fits into a command line.</summary>
internal static class NameBatches
{
    /// <summary>
    /// In bytes of names. What ssh passes on is a single argument, of which Linux allows 128 KiB (MAX_ARG_STRLEN);
    /// quotes and options come on top.
    /// </summary>
    public const int OneArgument = 96 * 1024;

    /// <summary>
    /// In bytes of names. All arguments together may take 2 MiB, with the environment and 8 bytes for each (execve(2)).
    /// </summary>
    public const int AllArguments = 1_900_000;

    /// <summary>Quotes, or the pointer to the argument, and its end.</summary>
    private const int BytesBesides = 9;

    public static int Length(IEnumerable<string> names) => names.Sum(name => name.Length + BytesBesides);

    public static IEnumerable<IReadOnlyList<string>> Split(IEnumerable<string> names, int limit)
    {
        List<string> batch = [];
        var length = 0;
        foreach (var name in names)
        {
            if (batch.Count > 0 && length + name.Length + BytesBesides > limit)
            {
                yield return batch;
                batch = [];
                length = 0;
            }

            batch.Add(name);
            length += name.Length + BytesBesides;
        }

        if (batch.Count > 0)
            yield return batch;
    }
}
