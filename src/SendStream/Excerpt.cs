namespace ZfsSnapshotManager.SendStream;

/// <summary>Text of hostile origin as it may stand in a message: messages go to logs, answers and terminals.</summary>
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
