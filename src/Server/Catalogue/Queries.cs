using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace ZfsSnapshotManager.Server.Catalogue;

internal static class Queries
{
    /// <summary>A command with its parameters; no value is ever written into SQL.</summary>
    [SuppressMessage(
        "Security",
        "CA2100:Review SQL queries for security vulnerabilities",
        Justification = "Every caller passes a constant; values are parameters."
    )]
    public static SqliteCommand Query(
        this SqliteConnection connection,
        string sql,
        params ReadOnlySpan<(string Name, object? Value)> parameters
    )
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        return command;
    }
}
