using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Lists the snapshots received into ZFS, for <c>catalogue check</c> and <c>catalogue rebuild</c>.
/// </summary>
internal sealed class ZfsSurvey(ClientDatasets datasets, ZfsHost zfs)
{
    /// <param name="clients">The clients whose snapshots to list.</param>
    /// <param name="listed">What the catalogue lists: removed clients may also have snapshots.</param>
    /// <returns>The backups found, by the names of their snapshots.</returns>
    /// <exception cref="OperationException">ZFS does not answer, and a client is stored in it.</exception>
    public async Task<IReadOnlyDictionary<string, SurveyedBackup>> RunAsync(
        IReadOnlyCollection<ClientEntry> clients,
        IEnumerable<ListedBackup> listed,
        CancellationToken cancellationToken
    )
    {
        var local = listed.Where(backup => backup.Info.IsLocal).ToList();
        var parentsToList = clients
            .Where(datasets.IsOffered)
            .Select(client => (Parent: datasets.Of(client), client.ClientId))
            .Concat(
                local.Select(backup =>
                    (Parent: ClientDatasets.Above(SnapshotName.Parse(backup.Info.StorageKey).Dataset), backup.ClientId)
                )
            )
            .Distinct();
        var needed = clients
            .Where(client => client.StorageType == StorageTypes.Local)
            .Select(client => client.ClientId)
            .Concat(local.Select(backup => backup.ClientId))
            .ToHashSet(StringComparer.Ordinal);
        Dictionary<string, SurveyedBackup> found = new(StringComparer.Ordinal);
        foreach (var (parent, clientId) in parentsToList)
        {
            foreach (var snapshot in await ListAsync(parent, clientId, needed.Contains(clientId), cancellationToken))
                found[snapshot.Name.ToString()] = Judge(clientId, snapshot);
        }

        return found;
    }

    /// <summary>Assesses a snapshot by its note.</summary>
    public static SurveyedBackup Judge(string clientId, ReceivedSnapshot snapshot)
    {
        // Another program made it.
        if (snapshot.Note is not { } json)
            return new SurveyedBackup
            {
                HasManifest = false,
                Backup = null,
                Findings = [],
            };
        try
        {
            var note = SnapshotNote.Parse(json);
            if (note.Manifest.ClientId != clientId || note.Manifest.SnapshotGuid != snapshot.Guid)
                return Broken(
                    snapshot,
                    $"it is of client '{note.Manifest.ClientId}' and the snapshot with GUID "
                        + $"{note.Manifest.SnapshotGuid}"
                );
            return new SurveyedBackup
            {
                HasManifest = true,
                Backup = new ListedBackup(clientId, note.ToSnapshotInfo(snapshot.Name.ToString())),
                Findings = [],
            };
        }
        catch (JsonException e)
        {
            return Broken(snapshot, JsonFault.Describe(e));
        }
    }

    private async Task<IEnumerable<ReceivedSnapshot>> ListAsync(
        DatasetName parent,
        string clientId,
        bool isNeeded,
        CancellationToken cancellationToken
    )
    {
        try
        {
            if (!await zfs.ExistsAsync(parent, cancellationToken))
                return [];
            return (await ReceivedDatasets.ListAsync(zfs, parent, clientId, cancellationToken)).SelectMany(chain =>
                chain.Snapshots
            );
        }
        catch (OperationException) when (!isNeeded)
        {
            return []; // every client may have a dataset in clients.json, even on servers without ZFS
        }
    }

    private static SurveyedBackup Broken(ReceivedSnapshot snapshot, string fault) =>
        new()
        {
            HasManifest = true,
            Backup = null,
            Findings =
            [
                CatalogueFinding.Of(
                    FindingKind.ManifestUnreadable,
                    snapshot.Name.ToString(),
                    $"The property {ZfsStorageProperties.Note} of the snapshot is not its manifest: "
                        + $"{fault.TrimEnd('.')}. The snapshot itself may be complete."
                ),
            ],
        };
}
