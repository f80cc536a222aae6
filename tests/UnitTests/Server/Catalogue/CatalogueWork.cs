using Microsoft.Data.Sqlite;
using SQLitePCL;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.UnitTests.Server.Catalogue;

/// <summary>
/// Counts what SQLite does, instead of how long it takes. Microsoft.Data.Sqlite keeps connections open, and gives the
/// one that was closed last to who opens the next: so a thread that opens one at a time always has the same.
/// </summary>
internal static class CatalogueWork
{
    /// <summary>Steps of SQLite's virtual machine; each row that is looked at costs some.</summary>
    public static int StepsOf(CatalogueDatabase database, Action work)
    {
        var steps = 0;
        Watch(database, count: true);
        try
        {
            work();
        }
        finally
        {
            Watch(database, count: false);
        }

        Assert.True(steps > 0, "the connection was another one");
        return steps;

        void Watch(CatalogueDatabase watched, bool count)
        {
            using var connection = watched.Open();
            if (count)
                raw.sqlite3_progress_handler(connection.Handle, 1, Step, null);
            else
                raw.sqlite3_progress_handler(connection.Handle, 0, null, null);
        }

        int Step(object user)
        {
            steps++;
            return 0;
        }
    }

    /// <summary>Rows that were inserted, changed or deleted.</summary>
    public static int ChangesOf(CatalogueDatabase database, Action work)
    {
        var before = Total(database);
        work();
        return Total(database) - before;
    }

    private static int Total(CatalogueDatabase database)
    {
        using SqliteConnection connection = database.Open();
        return raw.sqlite3_total_changes(connection.Handle);
    }
}
