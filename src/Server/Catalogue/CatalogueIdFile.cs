using System.Text;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// A copy of the catalogue's id beside it, so that a server whose catalogue was lost stays the same to its clients:
/// their marks, holds and bookmarks name it. A bucket has the id itself (<see cref="StoreOwnership"/>).
/// </summary>
internal static class CatalogueIdFile
{
    private const string Name = "catalogue-id";

    /// <summary>Before the server begins: a new catalogue gets the id that the lost one had.</summary>
    public static void Keep(CatalogueDatabase database, ServerSettings settings)
    {
        if (settings.S3 is not null)
            return;
        var kept = Find(settings);
        if (kept is not null && database.FindId() is null)
            database.SetId(kept);
        if (database.Id != kept)
            DurableFile.Replace(
                PathOf(settings),
                Encoding.ASCII.GetBytes(database.Id + "\n"),
                UnixFileMode.UserRead | UnixFileMode.UserWrite
            );
    }

    /// <returns>Null if there is none.</returns>
    public static string? Find(ServerSettings settings)
    {
        if (settings.S3 is not null || !File.Exists(PathOf(settings)))
            return null;
        var id = File.ReadAllText(PathOf(settings)).Trim();
        return Guid.TryParseExact(id, "N", out _) ? id : null;
    }

    private static string PathOf(ServerSettings settings) => Path.Combine(settings.DataDirectory, Name);
}
