namespace ZfsSnapshotManager.Server.Configuration;

/// <summary>The rule for client ids. A client id becomes a directory and the first component of object keys.</summary>
internal static class ClientIdRule
{
    public const string Text =
        "it must have 1 to 64 letters, digits, '-', '_' or '.', and start with a letter or digit";

    public static bool IsValid(string id) =>
        id.Length is > 0 and <= 64
        && char.IsAsciiLetterOrDigit(id[0])
        && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
