using System.CommandLine;
using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>bookmarks</c>: bookmarks that can serve as the base of an incremental backup.</summary>
internal static class BookmarksCommand
{
    private const string NotDone = "is not listed";

    public static CommandWithExamples Create()
    {
        var verb = new CommandWithExamples(
            "bookmarks",
            "List the bookmarks that can serve as the base of an incremental backup.",
            "zfs-client bookmarks",
            "zfs-client bookmarks --dataset tank/home --json"
        );
        DatasetOptions.AddTo(verb);
        verb.SetAction(RunAsync);
        return verb;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (zfs, selection) = ClientSettings.ReadSelection(DatasetOptions.Read(parsed));
        var output = Output.Of(parsed);
        var failures = new DatasetFailures(selection, output, NotDone);
        var datasets = failures.Take(await selection.ListAsync(zfs, cancellationToken));
        var local = new LocalSnapshots(zfs, [.. datasets.Select(dataset => dataset.Name)], TimeProvider.System);
        List<BookmarkRow> bookmarks = [];
        foreach (var dataset in datasets)
        {
            try
            {
                var all = await local.GetAsync(dataset.Name, isChanged: false, cancellationToken);
                bookmarks.AddRange(all.Where(s => s.Name.IsBookmark).Select(Describe));
            }
            catch (Exception e) when (failures.Spares(e))
            {
                failures.Add(dataset.Name, e);
            }
        }

        BackupCommand.WarnOf(output, failures.All, NotDone);
        output.Results(
            bookmarks,
            ClientJson.Default.BookmarkRow,
            text => Write(text, selection, bookmarks),
            success: failures.All.Count == 0,
            failures.All.Select(failure => failure.Json)
        );
        return (int)(failures.All is [var first, ..] ? first.ExitCode : ExitCode.Success);
    }

    private static void Write(TextWriter text, DatasetSelection selection, List<BookmarkRow> bookmarks)
    {
        if (bookmarks.Count == 0)
            text.WriteLine($"{string.Join(", ", selection.Roots)}: no bookmarks. The first backup creates one.");
        else
            Table.Write(
                text,
                ["Bookmark", "Created", "GUID"],
                [.. bookmarks.Select(b => new[] { b.Bookmark, Timestamps.ToSecond(b.CreatedAt), b.Guid.ToString() })]
            );
    }

    private static BookmarkRow Describe(LocalSnapshot bookmark) =>
        new()
        {
            Bookmark = bookmark.Name.ToString(),
            Guid = bookmark.Guid,
            CreatedAt = bookmark.Creation,
        };
}
