using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.UnitTests.Server;

public sealed class SqliteFaultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_full_disk_is_no_bug_of_a_command()
    {
        var full = FillDisk();

        var fault = SqliteFault.Explain(full)!;

        Assert.True(SqliteFault.IsDiskFull(full));
        Assert.Equal(ExitCode.NoSpace, fault.ExitCode);
        Assert.Contains("disk is full", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_is_told_that_the_disk_is_full()
    {
        var answer = ErrorAnswers.Explain(FillDisk());

        Assert.Equal((507, "storage_full"), (answer.Status, answer.Error.Code));
        Assert.Contains("Free space", answer.Error.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_is_told_of_a_full_disk_when_another_file_is_written()
    {
        var full = Assert.Throws<IOException>(() => File.WriteAllText("/dev/full", "text"));

        Assert.Equal("storage_full", ErrorAnswers.Explain(full).Error.Code);
    }

    [Fact]
    public void A_catalogue_that_this_user_may_not_write_is_no_bug()
    {
        using (var connection = Open("Mode=ReadWriteCreate"))
            Execute(connection, "CREATE TABLE t (x)");
        using var readOnly = Open("Mode=ReadOnly");
        var refused = Assert.Throws<SqliteException>(() => Execute(readOnly, "INSERT INTO t VALUES (1)"));

        var fault = SqliteFault.Explain(refused)!;

        Assert.False(SqliteFault.IsDiskFull(refused));
        Assert.Equal(ExitCode.Configuration, fault.ExitCode);
        Assert.Contains("server's user", fault.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_statement_is_a_bug()
    {
        using var connection = Open("Mode=ReadWriteCreate");

        Assert.Null(SqliteFault.Explain(Assert.Throws<SqliteException>(() => Execute(connection, "NONSENSE"))));
    }

    private SqliteException FillDisk()
    {
        using var connection = Open("Mode=ReadWriteCreate");
        Execute(connection, "PRAGMA max_page_count = 2; CREATE TABLE t (x)");
        return Assert.Throws<SqliteException>(() => Execute(connection, "INSERT INTO t VALUES (zeroblob(65536))"));
    }

    private SqliteConnection Open(string mode)
    {
        var connection = new SqliteConnection($"Data Source={_folder.File("metadata.db")};Pooling=False;{mode}");
        connection.Open();
        return connection;
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
