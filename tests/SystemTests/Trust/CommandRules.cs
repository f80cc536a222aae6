using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.SystemTests.Trust;

/// <summary>
/// The <c>zfs</c> commands that a run of <c>zfs-client backup</c> of an encrypted dataset may run, whatever a server
/// answers.
/// </summary>
/// <param name="dataset">The dataset.</param>
/// <param name="before">Its snapshots and bookmarks before the run, the oldest first.</param>
internal sealed class CommandRules(string dataset, IReadOnlyList<LocalEntry> before)
{
    /// <summary>The default of KEEP_MANUAL.</summary>
    public const int KeepManual = 3;

    private readonly HashSet<string> _destroyed = new(StringComparer.Ordinal);
    private readonly HashSet<string> _created = new(StringComparer.Ordinal);
    private readonly HashSet<string> _bookmarks = new(StringComparer.Ordinal);

    /// <returns>Why a command of the run must not be run; null if it may.</returns>
    public string? FindFault(string[] words) =>
        words switch
        {
            ["version" or "list" or "get" or "holds", ..] => null,
            ["snapshot", .. var rest] => JudgeSnapshot(rest),
            ["hold" or "release", var tag, .. var names] => tag.StartsWith("zsm-upload-", StringComparison.Ordinal)
                ? FindForeign(names, IsMine)
                : $"the tag is {tag}",
            ["set", var value, .. var names] => value.StartsWith(
                "zfs-snapshot-manager:upload=",
                StringComparison.Ordinal
            )
                ? FindForeign(names, IsMine)
                : $"it sets {value}",
            ["inherit", "zfs-snapshot-manager:upload", .. var names] => FindForeign(names, IsMine),
            ["bookmark", var from, var to] => JudgeBookmark(from, to),
            ["destroy", .. var names] => FindForeign(names, name => MayDestroy(name) && _destroyed.Add(name)),
            ["send", .. var rest] => JudgeSend(rest),
            _ => "no backup runs it",
        };

    /// <summary>
    /// What was made or interrupted, and what is old: snapshots of <c>backup</c> of which KEEP_MANUAL newer ones exist,
    /// and bookmarks of which a newer one exists.
    /// </summary>
    public bool MayDestroy(string name) =>
        _created.Contains(name)
        || IsPending(name)
        || (IsManual(name) && CountNewer(name, _created, IsManual) >= KeepManual)
        || (IsBookmark(name) && CountNewer(name, _bookmarks, IsBookmark) > 0);

    private bool IsManual(string name) =>
        name.StartsWith($"{dataset}@zsm-manual-", StringComparison.Ordinal)
        && before.Any(entry => entry.Name == name && entry.IsOwn);

    private bool IsBookmark(string name) =>
        name.StartsWith($"{dataset}#", StringComparison.Ordinal)
        && before.Any(entry => entry.Name == name && entry.IsOwn);

    private int CountNewer(string name, HashSet<string> made, Func<string, bool> isOfKind) =>
        before
            .Select(entry => entry.Name)
            .Where(isOfKind)
            .SkipWhile(other => other != name)
            .Skip(1)
            .Concat(made)
            .Count(other => !_destroyed.Contains(other));

    private string? JudgeSnapshot(string[] words)
    {
        var names = words.SkipWhile((word, index) => word == "-o" || (index > 0 && words[index - 1] == "-o"));
        foreach (var name in names)
        {
            if (!name.StartsWith($"{dataset}@zsm-", StringComparison.Ordinal))
                return $"it makes {name}";
            _created.Add(name);
        }

        return null;
    }

    private string? JudgeBookmark(string from, string to)
    {
        if (!to.StartsWith($"{dataset}#zsm-", StringComparison.Ordinal))
            return $"it makes {to}";
        _bookmarks.Add(to);
        return FindForeign([from], IsMine);
    }

    private string? JudgeSend(string[] words)
    {
        var at = Array.IndexOf(words, "-t");
        if (at >= 0)
            return words[..at].All(word => word is "-n" or "-P") && at == words.Length - 2
                ? Judge(ResumeToken.Parse(words[at + 1]))
                : "it has options that it must not have";
        if (!words.Contains("-w"))
            return "it is not raw";
        if (!_created.Contains(words[^1]))
            return $"it sends {words[^1]}";
        var options = words[..^1];
        if (Array.IndexOf(options, "-i") is var from and >= 0)
        {
            var name = options[from + 1];
            if (!_bookmarks.Contains(name) && before.All(entry => entry.Name != name || !entry.IsOf(dataset)))
                return $"it starts from {options[from + 1]}";
            options = [.. options[..from], .. options[(from + 2)..]];
        }

        return options.All(option => option is "-n" or "-P" or "-w") ? null : "it has options that it must not have";
    }

    private string? Judge(ResumeToken token)
    {
        if (!token.Raw || !token.Compressed || token.Embedded || token.OtherPairs.Count > 0)
            return $"its token has other flags: {token}";
        if (!before.Any(entry => entry.IsPending && entry.Is(token.FullSnapshotName, token.SnapshotGuid)))
            return $"its token is of {token.FullSnapshotName}, {token.SnapshotGuid}";
        return token.BaseGuid is null || before.Any(entry => entry.Guid == token.BaseGuid && entry.IsOf(dataset))
            ? null
            : $"its token starts from {token.BaseGuid}";
    }

    private static string? FindForeign(IEnumerable<string> names, Func<string, bool> isMine) =>
        names.FirstOrDefault(name => !isMine(name)) is { } foreign ? $"{foreign} is not this run's" : null;

    private bool IsMine(string name) =>
        _created.Contains(name) || before.Any(entry => entry.Name == name && entry.IsOwn);

    private bool IsPending(string name) => before.Any(entry => entry.Name == name && entry.IsPending);
}

/// <summary>A snapshot or bookmark of the dataset.</summary>
/// <param name="IsOwn">Whether this client made it for this server.</param>
/// <param name="IsPending">Whether it is one of these whose upload did not end.</param>
internal sealed record LocalEntry(string Name, ulong Guid, bool IsOwn, bool IsPending)
{
    public bool IsOf(string dataset) => Name.Split('@', '#')[0] == dataset;

    public bool Is(string name, ulong guid) => Name == name && Guid == guid;
}
