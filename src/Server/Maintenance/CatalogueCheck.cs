using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Compares catalogue, manifests and objects. The server may run meanwhile, so store and catalogue are read at
/// different moments: suspects are checked a second time, and only what is wrong both times is reported.
/// </summary>
internal sealed class CatalogueCheck(
    BackupStore store,
    ZfsSurvey local,
    IReadOnlyCollection<ClientEntry> clients,
    BackupCatalogue catalogue,
    DeletionCatalogue deletions,
    UploadCatalogue uploads,
    TimeProvider time
)
{
    /// <summary>Longer than a commit or a removal takes.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    /// <param name="clientId">The client whose backups to check; null: all.</param>
    public async Task<(IReadOnlyList<CatalogueFinding> Findings, IReadOnlyList<CatalogueFinding> Notes)> RunAsync(
        string? clientId,
        CancellationToken cancellationToken
    )
    {
        var first = await CompareAsync(clientId, only: null, cancellationToken);
        if (first.Findings.Count == 0)
            return first;
        await Task.Delay(Pause, time, cancellationToken);
        var suspects = first.Findings.Select(finding => finding.Key).ToHashSet(StringComparer.Ordinal);
        var second = await CompareAsync(clientId, suspects, cancellationToken);
        return (second.Findings, [.. first.Notes, .. second.Notes]);
    }

    private async Task<(IReadOnlyList<CatalogueFinding> Findings, IReadOnlyList<CatalogueFinding> Notes)> CompareAsync(
        string? clientId,
        HashSet<string>? only,
        CancellationToken cancellationToken
    )
    {
        var surveyed = await new StoreSurvey(store).RunAsync(
            clientId is null ? "" : clientId + "/",
            only,
            cancellationToken
        );
        var open = uploads.All().Select(upload => upload.StorageKey).ToHashSet(StringComparer.Ordinal);
        // After the open uploads, since a commit precedes a deletion.
        var deleted = deletions.List().Select(deletion => deletion.StorageKey).ToHashSet(StringComparer.Ordinal);
        var listed = catalogue.ListAll(clientId);
        var all = new Dictionary<string, SurveyedBackup>(surveyed, StringComparer.Ordinal);
        foreach (var (key, found) in await SurveyLocalAsync(clientId, listed, only, cancellationToken))
            all[key] = found;
        List<CatalogueFinding> findings = [],
            notes = [];
        foreach (var backup in listed.Where(backup => only?.Contains(backup.Info.StorageKey) != false))
            findings.AddRange(Compare(backup, all.GetValueOrDefault(backup.Info.StorageKey)));
        findings.AddRange(FindBroken(listed, only));

        var keys = listed.Select(backup => backup.Info.StorageKey).ToHashSet(StringComparer.Ordinal);
        var others = all.Where(found => !keys.Contains(found.Key)).ToDictionary(StringComparer.Ordinal);
        foreach (var key in others.Keys.Where(open.Contains).ToList())
        {
            if (others[key].HasManifest && others[key].Backup is null)
                continue;
            notes.Add(
                CatalogueFinding.Of(
                    FindingKind.UploadUnderWay,
                    key,
                    "It belongs to an upload that is in progress or was interrupted; the server finishes or removes it "
                        + "when it starts or when the client returns."
                )
            );
            others.Remove(key);
        }

        foreach (var key in others.Keys.Where(deleted.Contains).ToList())
        {
            notes.Add(
                CatalogueFinding.Of(
                    FindingKind.DeletionUnderWay,
                    key,
                    "It is no longer listed, but could not be deleted yet; 'zfs-server jobs list' shows why, and when "
                        + "the server tries it again."
                )
            );
            others.Remove(key);
        }

        findings.AddRange(others.Values.SelectMany(found => found.Findings));
        findings.AddRange(
            FindUnlisted([.. others.Values.Select(found => found.Backup).OfType<ListedBackup>()], listed)
        );
        return (findings, notes);
    }

    private async Task<IEnumerable<KeyValuePair<string, SurveyedBackup>>> SurveyLocalAsync(
        string? clientId,
        IReadOnlyList<ListedBackup> listed,
        HashSet<string>? only,
        CancellationToken cancellationToken
    )
    {
        var found = await local.RunAsync(
            [.. clients.Where(client => clientId is null || client.ClientId == clientId)],
            listed,
            cancellationToken
        );
        return found.Where(pair => only?.Contains(pair.Key) != false);
    }

    /// <summary>Compares a listed backup with what the store has of it.</summary>
    private static IEnumerable<CatalogueFinding> Compare(ListedBackup row, SurveyedBackup? found)
    {
        var key = row.Info.StorageKey;
        if (found is null && row.Info.IsLocal)
            return
            [
                CatalogueFinding.Of(
                    FindingKind.ObjectMissing,
                    key,
                    "It is listed, but the snapshot does not exist in the server's ZFS. If it was renamed, rename it "
                        + "back; otherwise send a full backup."
                ),
            ];
        if (found is null)
            return
            [
                CatalogueFinding.Of(
                    FindingKind.ObjectMissing,
                    key,
                    "It is listed, but the store has neither its object nor its manifest. Restore both from a copy "
                        + "of the store, or send a full backup."
                ),
            ];
        if (!found.HasManifest && row.Info.IsLocal)
            return
            [
                CatalogueFinding.Of(
                    FindingKind.ManifestMissing,
                    key,
                    "It is listed, but the snapshot lacks the property with its manifest. It can still be restored, "
                        + "but a rebuild would leave it out."
                ),
            ];
        if (!found.HasManifest)
            return
            [
                CatalogueFinding.Of(
                    FindingKind.ManifestMissing,
                    key,
                    "It is listed, but its manifest is missing. Restore the manifest from a copy of the store. Until "
                        + "then the backup can be restored if its object is complete, but a rebuild would leave it "
                        + "out."
                ),
            ];
        if (found.Backup is null)
            return found.Findings;
        var differences = row.DifferencesFrom(found.Backup).ToList();
        return differences.Count == 0
            ? found.Findings
            :
            [
                .. found.Findings,
                CatalogueFinding.Of(
                    FindingKind.ManifestDiffers,
                    key,
                    $"The catalogue and the manifest differ: {string.Join("; ", differences)}. If the manifest was "
                        + "not tampered with, 'zfs-server catalogue rebuild' adopts its values."
                ),
            ];
    }

    /// <summary>Listed backups whose base is not listed.</summary>
    private static IEnumerable<CatalogueFinding> FindBroken(IReadOnlyList<ListedBackup> listed, HashSet<string>? only)
    {
        var holders = listed.ToLookup(backup => (backup.ClientId, backup.Info.SnapshotGuid));
        foreach (var backup in listed.Where(backup => only?.Contains(backup.Info.StorageKey) != false))
        {
            if (backup.Info.FromGuid is not { } from)
                continue;
            var obstacles = holders[(backup.ClientId, from)]
                .Select(known => ChainLink.FindObstacle(known.Info, backup.Info.Features))
                .ToList();
            if (!obstacles.Contains(null))
                yield return ChainSelection.NoBase(backup, obstacles.FirstOrDefault());
        }
    }

    /// <summary>Tells for each complete backup that is not listed whether a rebuild would list it.</summary>
    private static IEnumerable<CatalogueFinding> FindUnlisted(
        IReadOnlyCollection<ListedBackup> unlisted,
        IReadOnlyList<ListedBackup> listed
    )
    {
        if (unlisted.Count == 0)
            return [];
        var (selected, leftOut) = ChainSelection.Run(unlisted, listed);
        return
        [
            .. selected.Select(backup =>
                CatalogueFinding.Of(
                    FindingKind.NotListed,
                    backup.Info.StorageKey,
                    "Its object and manifest are in the store, but it is not listed. Stop the server and run "
                        + "'zfs-server catalogue rebuild' to list it."
                )
            ),
            .. leftOut,
        ];
    }
}
