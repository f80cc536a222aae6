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

    /// <param name="text">A sentence or more.</param>
    /// <param name="errors">Standard error.</param>
    public static void Add(string text, TextWriter errors)
    {
        Given.Enqueue(text);
        errors.WriteLine(TerminalText.Clean($"warning: {text}"));
    }
}
