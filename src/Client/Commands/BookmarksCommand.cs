using System.CommandLine;
using System.Globalization;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>bookmarks</c>: the places that an incremental backup can start from.</summary>
internal static class BookmarksCommand
{
    public static Verb Create()
    {
        var verb = new Verb("bookmarks", "List the dataset's bookmarks, the places that incremental backups can start from.", "zfs-client bookmarks", "zfs-client bookmarks --dataset tank/home --json") { DatasetOption.Instance };
        verb.SetAction(RunAsync);
        return verb;
    }

    private static async Task RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var dataset = ClientSettings.ReadDataset(parsed.GetValue(DatasetOption.Instance));
        var all = await ZfsDataset.ListSnapshotsAsync(dataset, cancellationToken).ConfigureAwait(false);
        var bookmarks = all.Where(s => s.Name.IsBookmark)
            .Select(s => new BookmarkRow { Bookmark = s.Name.ToString(), Guid = s.Guid, CreatedAt = s.Creation })
            .ToList();
        new Output(parsed.GetValue(ProgramRunner.JsonOption)).Result(bookmarks, ClientJson.Default.ListBookmarkRow, text =>
        {
            if (bookmarks.Count == 0) text.WriteLine($"{dataset} has no bookmarks. The first backup makes one.");
            else Table.Write(text, ["Bookmark", "Created", "GUID"], [.. bookmarks.Select(b => new[] { b.Bookmark, b.CreatedAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture), b.Guid.ToString() })]);
        });
    }
}
