using System.Globalization;
using Microsoft.Data.Sqlite;

namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>Remembers the clock of the server, so that a jump is noticed after a restart too.</summary>
internal sealed class CatalogueClock(CatalogueDatabase database)
{
    private const string Seen = "clock_seen";
    private const string TrustedFrom = "clock_trusted_from";

    /// <summary>The clock as it was last seen, and from when on it is trusted if it had jumped.</summary>
    public (DateTimeOffset? Seen, DateTimeOffset? TrustedFrom) Find()
    {
        using var connection = database.Open();
        return (Read(Seen), Read(TrustedFrom));

        DateTimeOffset? Read(string name)
        {
            using var query = connection.Query(
                "SELECT CAST(value AS INTEGER) FROM properties WHERE name = @name AND value <> ''",
                ("@name", name)
            );
            return query.ExecuteScalar() is long seconds ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
        }
    }

    /// <summary>Best effort: on a full disk, what has expired must be deleted all the same.</summary>
    /// <param name="trustedFrom">Null: it is trusted.</param>
    public void Note(DateTimeOffset seen, DateTimeOffset? trustedFrom)
    {
        using var connection = database.Open();
        using var set = connection.Query(
            "INSERT INTO properties (name, value) VALUES (@seen, @at), (@trusted, @from) "
                + "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            ("@seen", Seen),
            ("@at", Format(seen)),
            ("@trusted", TrustedFrom),
            ("@from", trustedFrom is { } from ? Format(from) : "")
        );
        try
        {
            set.ExecuteNonQuery();
        }
        catch (SqliteException e) when (e.SqliteErrorCode is CatalogueDatabase.Full or CatalogueDatabase.ReadOnly)
        {
            // The next look notes it.
        }

        static string Format(DateTimeOffset moment) =>
            moment.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
    }
}
