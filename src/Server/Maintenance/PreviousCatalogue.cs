using System.Data.Common;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>What can still be read from the catalogue that a rebuild replaces.</summary>
internal sealed record PreviousCatalogue
{
    /// <summary>The first schema version with pins and expiries.</summary>
    private const int VersionWithPins = 4;

    /// <summary>Null if it has none, or cannot be read.</summary>
    public string? Id { get; private init; }

    /// <summary>The keys of the backups that it lists.</summary>
    public IReadOnlyList<string> Listed { get; private init; } = [];

    /// <summary>The keys of its open uploads.</summary>
    public IReadOnlySet<string> Uploads { get; private init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>The keys of backups of which objects were begun that may be incomplete.</summary>
    public IReadOnlySet<string> Begun { get; private init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Pins and expiries of backups, which no manifest contains.</summary>
    public IReadOnlyDictionary<BackupInstance, PinAndExpiry> PinsAndExpiries { get; private init; } =
        new Dictionary<BackupInstance, PinAndExpiry>();

    /// <summary>Why it cannot be read; null if it can, or if none exists.</summary>
    public string? Fault { get; private init; }

    /// <summary>Reads it, with the schema of any version up to this one's.</summary>
    /// <exception cref="OperationException">It is of a later version.</exception>
    public static PreviousCatalogue Read(CatalogueDatabase database)
    {
        if (!File.Exists(database.Path))
            return new PreviousCatalogue();
        try
        {
            var version = database.Inspect();
            if (version == 0)
                return new PreviousCatalogue { Fault = $"{database.Path} has no tables" };
            using var connection = database.Open();
            return new PreviousCatalogue
            {
                Listed = ReadTexts(connection, "SELECT storage_key FROM backups ORDER BY storage_key"),
                Uploads = ReadTexts(connection, UploadKeysOf(connection)).ToHashSet(StringComparer.Ordinal),
                Begun = ReadTexts(connection, BegunKeysOf(connection)).ToHashSet(StringComparer.Ordinal),
                PinsAndExpiries =
                    version >= VersionWithPins
                        ? ReadPinsAndExpiries(connection)
                        : new Dictionary<BackupInstance, PinAndExpiry>(),
                Id =
                    version > 1
                    && ReadTexts(connection, "SELECT value FROM properties WHERE name = 'catalogue_id'") is [var id]
                        ? id
                        : null,
            };
        }
        catch (Exception e) when (e is DbException or OperationException { ExitCode: ExitCode.Damaged })
        {
            return new PreviousCatalogue { Fault = e.Message };
        }
    }

    /// <summary>The backup with the pin and expiry that it had in the old catalogue.</summary>
    public ListedBackup CarryOver(ListedBackup backup) =>
        PinsAndExpiries.TryGetValue(BackupInstance.Of(backup.Info), out var mark)
            ? backup with
            {
                Info = backup.Info with { Pinned = mark.Pinned, ExpiresAt = mark.ExpiresAt },
            }
            : backup;

    private static Dictionary<BackupInstance, PinAndExpiry> ReadPinsAndExpiries(SqliteConnection connection)
    {
        // Only columns that every such version has.
        using var command = connection.Query(
            "SELECT storage_key, received_at, pinned, expires_at FROM backups WHERE pinned = 1 OR expires_at IS NOT "
                + "NULL"
        );
        using var rows = command.ExecuteReader();
        Dictionary<BackupInstance, PinAndExpiry> found = [];
        while (rows.Read())
        {
            var instance = new BackupInstance(
                rows.GetString(0),
                DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(1))
            );
            DateTimeOffset? expires = rows.IsDBNull(3) ? null : DateTimeOffset.FromUnixTimeSeconds(rows.GetInt64(3));
            found.Add(instance, new PinAndExpiry(rows.GetInt64(2) != 0, expires));
        }

        return found;
    }

    /// <summary>Uploads had one column for the key of the object and for the name of the snapshot.</summary>
    private static string UploadKeysOf(SqliteConnection connection) =>
        ReadTexts(connection, "SELECT name FROM pragma_table_info('uploads') WHERE name = 'storage_key'").Count > 0
            ? "SELECT storage_key FROM uploads"
            : "SELECT COALESCE(object_key, zfs_snapshot, zfs_dataset) FROM uploads";

    /// <summary>Earlier versions had no notes; then it is what the open uploads may have begun.</summary>
    private static string BegunKeysOf(SqliteConnection connection) =>
        ReadTexts(connection, "SELECT name FROM sqlite_master WHERE name = 'begun_objects'").Count > 0
            ? "SELECT storage_key FROM begun_objects"
            : "SELECT storage_key FROM uploads";

    private static List<string> ReadTexts(SqliteConnection connection, string sql)
    {
        using var command = connection.Query(sql);
        using var rows = command.ExecuteReader();
        List<string> texts = [];
        while (rows.Read())
            texts.Add(rows.GetString(0));
        return texts;
    }
}

/// <summary>
/// Identifies one backup. A key may be used again after a deletion, and the new backup must not be deleted because the
/// old one was to be.
/// </summary>
internal readonly record struct BackupInstance(string Key, DateTimeOffset ReceivedAt)
{
    public static BackupInstance Of(SnapshotInfo backup) => new(backup.StorageKey, backup.ReceivedAt);
}

internal readonly record struct PinAndExpiry(bool Pinned, DateTimeOffset? ExpiresAt);
