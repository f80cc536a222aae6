using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.Catalogue;

internal static class Queries
{
    /// <summary>A command with its parameters; values are never written into the SQL text.</summary>
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

    /// <summary>Reads a column with a snapshot's GUID in decimal.</summary>
    /// <returns>Null if the column is NULL or empty.</returns>
    public static SnapshotGuid? FindGuid(this DbDataReader row, int column)
    {
        if (row.IsDBNull(column) || row.GetString(column) is not { Length: > 0 } text)
            return null;
        return new SnapshotGuid(ulong.Parse(text, CultureInfo.InvariantCulture));
    }
}
