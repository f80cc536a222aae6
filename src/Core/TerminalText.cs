using System.Globalization;

namespace ZfsSnapshotManager.Core;

/// <summary>
/// Text that a terminal shows as it is. Other programs, ZFS and servers put into their messages what they like:
/// escape sequences that move the cursor, change the title or hide what was printed before.
/// </summary>
public static class TerminalText
{
    private const char Instead = '?';

    /// <summary>Replaces what a terminal obeys by '?'. Line breaks and tabs stay.</summary>
    public static string Clean(string text) => Replace(text, c => c is '\n' or '\t' ? c : Instead);

    /// <summary>Replaces line breaks and tabs by spaces as well.</summary>
    public static string CleanLine(string text) => Replace(text, c => c is '\n' or '\r' or '\t' ? ' ' : Instead);

    private static string Replace(string text, Func<char, char> replace) =>
        text.Any(IsObeyed) ? string.Create(text.Length, (text, replace), static (target, source) =>
            {
                for (var i = 0; i < target.Length; i++)
                    target[i] = IsObeyed(source.text[i]) ? source.replace(source.text[i]) : source.text[i];
            }) : text;

    /// <summary>
    /// Control characters (C0, DEL, C1), and format characters, which reverse the order of what follows or are
    /// invisible.
    /// </summary>
    private static bool IsObeyed(char c) =>
        char.GetUnicodeCategory(c)
            is UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator;
}
