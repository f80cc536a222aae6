using System.Data.Common;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>What can still be read of the catalogue that a rebuild replaces.</summary>
internal sealed record PreviousCatalogue
{
    /// <summary>Null where it has none, or cannot be read.</summary>
    public string? Id { get; private init; }

    /// <summary>The keys of the backups that it lists.</summary>
    public IReadOnlyList<string> Listed { get; private init; } = [];

    /// <summary>The keys of its open uploads.</summary>
    public IReadOnlySet<string> Uploads { get; private init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Why it cannot be read; null where it can, or where there is none.</summary>
    public string? Fault { get; private init; }

    /// <summary>Reads it, with the schema of any version up to this one's.</summary>
    /// <exception cref="OperationException">It is of a later version.</exception>
    public static PreviousCatalogue Read(CatalogueDatabase database)
    {
        if (!File.Exists(database.Path)) return new PreviousCatalogue();
        try
        {
            var version = database.Inspect();
            if (version == 0) return new PreviousCatalogue { Fault = $"{database.Path} has no tables" };
            using var connection = database.Open();
            return new PreviousCatalogue
            {
                Listed = ReadTexts(connection, "SELECT storage_key FROM backups ORDER BY storage_key"),
                Uploads = ReadTexts(connection, "SELECT storage_key FROM uploads").ToHashSet(StringComparer.Ordinal),
                Id = version > 1 && ReadTexts(connection, "SELECT value FROM properties WHERE name = 'catalogue_id'") is [var id] ? id : null,
            };
        }
        catch (Exception e) when (e is DbException or OperationException { ExitCode: ExitCode.Damaged })
        {
            return new PreviousCatalogue { Fault = e.Message };
        }
    }

    private static List<string> ReadTexts(SqliteConnection connection, string sql)
    {
        using var command = connection.Query(sql);
        using var rows = command.ExecuteReader();
        List<string> texts = [];
        while (rows.Read()) texts.Add(rows.GetString(0));
        return texts;
    }
}
