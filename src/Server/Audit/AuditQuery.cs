using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>Selects events of the audit log.</summary>
internal sealed record AuditQuery
{
    public string? ClientId { get; init; }

    /// <summary>An event, or the first word of several: <c>client</c>.</summary>
    public string? Event { get; init; }

    public DateTimeOffset? Since { get; init; }

    /// <summary>The most events to return, the newest ones.</summary>
    public required int Limit { get; init; }

    /// <param name="paths">The newest file of each kind.</param>
    /// <param name="undelivered">Events that may not be in a file yet.</param>
    /// <returns>The events, newest last, and the number of damaged lines.</returns>
    public (IReadOnlyList<ServerEvent> Events, int Broken) Run(
        IEnumerable<string> paths,
        IEnumerable<ServerEvent> undelivered
    )
    {
        List<ServerEvent> found = [];
        var broken = 0;
        foreach (var path in paths)
        {
            var (events, damaged) = Read(path);
            found.AddRange(events);
            broken += damaged;
        }

        var known = found.Select(e => e.Id).ToHashSet(StringComparer.Ordinal);
        found.AddRange(undelivered.Where(e => Matches(e) && !known.Contains(e.Id)));
        return ([.. found.OrderBy(e => e.Time).TakeLast(Limit)], broken);
    }

    private (IReadOnlyCollection<ServerEvent> Events, int Broken) Read(string path)
    {
        var found = new Queue<ServerEvent>();
        var broken = 0;
        foreach (var file in Open(path))
        {
            using var reader = new StreamReader(file);
            while (reader.ReadLine() is { } line)
            {
                if (line.Length == 0)
                    continue;
                if (ServerEvent.Parse(line) is not { } e)
                    broken++;
                else if (Matches(e))
                    found.Enqueue(e);
                if (found.Count > Limit)
                    found.Dequeue();
            }
        }

        return (found, broken);
    }

    private bool Matches(ServerEvent e) =>
        (ClientId is null || e.ClientId == ClientId)
        && (Event is null || e.Event == Event || e.Event.StartsWith(Event + ".", StringComparison.Ordinal))
        && (Since is null || e.Time >= Since);

    /// <summary>Opens all files, oldest first, as of one moment; a file that is rotated later stays open.</summary>
    private static List<FileStream> Open(string path)
    {
        if (!Directory.Exists(Path.GetDirectoryName(path)))
            return [];
        using var only = AuditFile.AcquireLock(path);
        List<string> files = [];
        for (var number = 1; File.Exists(AuditFile.OldFile(path, number)); number++)
            files.Insert(0, AuditFile.OldFile(path, number));
        if (File.Exists(path))
            files.Add(path);
        try
        {
            return
            [
                .. files.Select(file => new FileStream(
                    file,
                    FileMode.Open,
                    FileAccess.Read,
                    FileShare.ReadWrite | FileShare.Delete
                )),
            ];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperationException(
                ExitCode.Failure,
                $"The audit log cannot be read: {e.Message}",
                "Run the command as the server's user.",
                e
            );
        }
    }
}
