using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

/// <summary>A catalogue or store that cannot be used is a named fault, not a failure of the program.</summary>
public sealed class StorageFaultTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_full_catalogue_is_answered_as_a_full_disk()
    {
        using var folder = new TemporaryFolder();
        await using var connection = await OpenAsync(folder);
        await ExecuteAsync(connection, "CREATE TABLE filled (text TEXT); PRAGMA max_page_count = 2");

        var e = await Assert.ThrowsAsync<SqliteException>(() =>
            ExecuteAsync(connection, "INSERT INTO filled VALUES (hex(randomblob(100000)))")
        );

        AssertAnswer(e, 507, "storage_full", "METADATA_FILE");
    }

    [Fact]
    public async Task A_locked_catalogue_is_answered_as_busy()
    {
        using var folder = new TemporaryFolder();
        await using var connection = await OpenAsync(folder);
        await using var other = await OpenAsync(folder);
        await ExecuteAsync(other, "CREATE TABLE filled (text TEXT); BEGIN EXCLUSIVE");

        var e = await Assert.ThrowsAsync<SqliteException>(() =>
            ExecuteAsync(connection, "INSERT INTO filled VALUES ('')")
        );

        AssertAnswer(e, 503, "server_busy", "locked");
    }

    [Fact]
    public async Task A_catalogue_that_is_no_database_is_answered_as_unusable()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("catalogue"), new string('x', 4096), Token);

        var e = await Assert.ThrowsAsync<SqliteException>(async () =>
        {
            await using var connection = await OpenAsync(folder);
            await ExecuteAsync(connection, "CREATE TABLE filled (text TEXT)");
        });

        AssertAnswer(e, 500, "storage_refused", "cannot be read or written");
    }

    [Fact]
    public async Task A_fault_of_the_program_stays_one()
    {
        using var folder = new TemporaryFolder();
        await using var connection = await OpenAsync(folder);

        var e = await Assert.ThrowsAsync<SqliteException>(() => ExecuteAsync(connection, "SELECT no_such_column"));

        Assert.Null(CatalogueFaults.TryExplain(e, "Nothing was changed."));
    }

    [Fact]
    public void A_key_that_is_in_use_is_a_conflict()
    {
        var answer = StorageFaults.ToRequest(
            new StorageException(StorageFault.Exists, "The object x already exists."),
            "Nothing was changed."
        );

        Assert.Equal((409, "object_exists"), (answer.Status, answer.Error.Code));
    }

    private static void AssertAnswer(Exception e, int status, string code, string says)
    {
        var answer = CatalogueFaults.TryExplain(e, "Nothing was changed.");
        Assert.Equal((status, code), (answer?.Status, answer?.Error.Code));
        Assert.Contains(says, answer!.Message, StringComparison.Ordinal);
    }

    private static async Task<SqliteConnection> OpenAsync(TemporaryFolder folder)
    {
        var connection = new SqliteConnection(
            $"Data Source={folder.File("catalogue")};Pooling=false;Default Timeout=1"
        );
        await connection.OpenAsync(Token);
        return connection;
    }

    private static async Task ExecuteAsync(SqliteConnection connection, string sql)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(Token);
    }
}
