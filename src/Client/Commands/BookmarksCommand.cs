using System.CommandLine;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>bookmarks</c>: bookmarks that can serve as the base of an incremental backup.</summary>
internal static class BookmarksCommand
{
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

    private static async Task RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (zfs, selection) = ClientSettings.ReadSelection(DatasetOptions.Read(parsed));
        List<BookmarkRow> bookmarks = [];
        foreach (var dataset in await selection.ListAsync(zfs, cancellationToken))
        {
            var all = await zfs.ListSnapshotsAsync(dataset.Name, cancellationToken);
            bookmarks.AddRange(
                all.Where(s => s.Name.IsBookmark)
                    .Select(s => new BookmarkRow
                    {
                        Bookmark = s.Name.ToString(),
                        Guid = s.Guid,
                        CreatedAt = s.Creation,
                    })
            );
        }

        new Output(parsed.GetValue(ProgramRunner.JsonOption)).Result(
            bookmarks,
            ClientJson.Default.ListBookmarkRow,
            text =>
            {
                if (bookmarks.Count == 0)
                    text.WriteLine(
                        $"{string.Join(", ", selection.Roots)}: no bookmarks. The first backup creates one."
                    );
                else
                    Table.Write(
                        text,
                        ["Bookmark", "Created", "GUID"],
                        [
                            .. bookmarks.Select(b =>
                                new[] { b.Bookmark, Timestamps.ToSecond(b.CreatedAt), b.Guid.ToString() }
                            ),
                        ]
                    );
            }
        );
    }
}
