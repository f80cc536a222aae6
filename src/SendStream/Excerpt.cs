namespace ZfsSnapshotManager.SendStream;

/// <summary>Makes text of hostile origin fit for messages, which are written to logs, answers and terminals.</summary>
internal static class Excerpt
{
    private const int Longest = 64;

    /// <summary>The start of the text, with U+FFFD for control characters.</summary>
    public static string Of(string text)
    {
        var start = string.Concat(
            text.Take(Longest).Select(character => char.IsControl(character) ? '\ufffd' : character)
        );
        return text.Length > Longest ? $"{start}… ({text.Length} characters)" : start;
    }
}
