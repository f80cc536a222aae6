using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Core;

/// <summary>
/// What the user of a command should know although it does its work: standard error gets it at once, in every mode, and
/// the report of <c>--json</c> has it at the end. One list for the process, as there is one standard error.
/// </summary>
public static class CommandWarnings
{
    private static readonly ConcurrentQueue<string> Given = new();

    public static IReadOnlyCollection<string> All => Given;

    public static void Add(string text)
    {
        Given.Enqueue(text);
        Console.Error.WriteLine(TerminalText.Clean($"warning: {text}"));
    }
}
