using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>SQLite's write-ahead log of a server's catalogue.</summary>
internal static class CatalogueLog
{
    /// <summary>A page of 4 KiB and its header.</summary>
    private const int FrameSize = 4096 + 24;

    /// <summary>
    /// SQLite checkpoints its log at a commit that brings it to 1,000 frames. A start of the server adds one frame, a
    /// commit of a backup about nine.
    /// </summary>
    private const int AlmostFull = 991;

    /// <summary>Makes the log so long that the next commit of a backup checkpoints it.</summary>
    public static async Task FillAsync(CrashLab lab)
    {
        // An upload that is opened and dropped adds about seven frames, a refused body two.
        for (var number = 0; Frames(lab.Server) < AlmostFull - 10; number++)
        {
            var upload = await lab.Client.AnnounceAsync(new JsonObject { ["dataset_name"] = $"tank/filler{number}" });
            (await lab.Client.DeleteAsync($"upload-stream/{upload}")).MustSucceed();
        }

        while (Frames(lab.Server) < AlmostFull)
            await lab.Client.SendAsync(lab.UploadId, []);
    }

    private static long Frames(ServerProcess server) =>
        new FileInfo(Path.Combine(server.DataFolder, "metadata.db-wal")).Length / FrameSize;
}
