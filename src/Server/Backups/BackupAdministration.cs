using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backups;

/// <summary>What an administrator does with backups.</summary>
internal sealed class BackupAdministration(BackupCatalogue catalogue, TimeProvider time)
{
    /// <summary>By client and dataset, the newest first.</summary>
    /// <param name="clientId">Only this client's; null: all.</param>
    /// <param name="expiring">Only those that are to be deleted.</param>
    /// <param name="pinned">Only pinned ones.</param>
    public IReadOnlyList<AdministeredBackup> List(string? clientId, bool expiring, bool pinned) =>
        [
            .. catalogue
                .ListAll(clientId)
                .Select(AdministeredBackup.Of)
                .Where(backup => !expiring || backup.Backup.ExpiresAt is not null)
                .Where(backup => !pinned || backup.Backup.Pinned)
                .OrderBy(backup => backup.ClientId, StringComparer.Ordinal)
                .ThenBy(backup => backup.Backup.DatasetName, StringComparer.Ordinal)
                .ThenByDescending(backup => backup.Backup.ReceivedAt)
                .ThenByDescending(backup => backup.Backup.Timestamp),
        ];

    /// <param name="name">A snapshot ID, or dataset@snapshot.</param>
    /// <exception cref="OperationException">It does not exist.</exception>
    public ShownBackup Show(string name)
    {
        var (client, backup) = Find(name);
        var all = catalogue.List(client);
        var bases = new BackupChains(all);
        return new ShownBackup
        {
            ClientId = client,
            Backup = backup,
            Base = bases.BaseOf(backup)?.SnapshotId,
            ChainLength = bases.LengthOf(backup),
            Dependents =
            [
                .. all.Where(other => bases.BaseOf(other)?.SnapshotId == backup.SnapshotId)
                    .Select(other => other.SnapshotId),
            ],
        };
    }

    /// <summary>Pins a backup so that rotation keeps it, or unpins it.</summary>
    /// <inheritdoc cref="Show"/>
    /// <returns>The backup as it is then.</returns>
    public AdministeredBackup SetPinned(string name, bool pinned)
    {
        var (client, backup) = Find(name);
        return SetPinned(client, backup.SnapshotId, pinned);
    }

    /// <summary>Pins all backups of a client that are to be deleted.</summary>
    /// <returns>The backups as they are then.</returns>
    public IReadOnlyList<AdministeredBackup> KeepExpiring(string clientId) =>
        [
            .. catalogue
                .List(clientId)
                .Where(backup => backup.ExpiresAt is not null)
                .Select(backup => SetPinned(clientId, backup.SnapshotId, pinned: true)),
        ];

    private AdministeredBackup SetPinned(string client, string snapshotId, bool pinned)
    {
        var changed = ServerEvent.Of(
            pinned ? ServerEvents.BackupPinned : ServerEvents.BackupUnpinned,
            EventActor.Admin,
            time.GetUtcNow()
        ) with
        {
            ClientId = client,
            SnapshotId = snapshotId,
        };
        if (!catalogue.Pin(client, snapshotId, pinned, changed))
            throw NotFound(snapshotId);
        return new AdministeredBackup
        {
            ClientId = client,
            Backup = catalogue.Find(client, snapshotId) ?? throw NotFound(snapshotId),
        };
    }

    /// <summary>A snapshot ID begins with its client's id; a snapshot may be any client's.</summary>
    private (string ClientId, SnapshotInfo Backup) Find(string name)
    {
        if (StorageKey.ClientIdOf(name) is { } client && catalogue.Find(client, name) is { } backup)
            return (client, backup);
        if (name.Contains('@', StringComparison.Ordinal))
        {
            var all = catalogue.ListAll(null);
            if (BackupName.Find(name, all.Select(listed => listed.Info)) is { } found)
                return (all.First(listed => ReferenceEquals(listed.Info, found)).ClientId, found);
        }

        throw NotFound(name);
    }

    private static OperationException NotFound(string id) =>
        new(ExitCode.NotFound, $"The backup {id} does not exist.", "'zfs-server backup list' shows all backups.");
}
