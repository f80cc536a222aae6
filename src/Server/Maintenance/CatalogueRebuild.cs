using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Creates the catalogue again from the manifests in the store. Objects are listed by name and size, not read.
/// </summary>
internal sealed class CatalogueRebuild(
    ServerSettings settings,
    BackupStore store,
    ZfsSurvey local,
    StoreOwnership ownership,
    CatalogueDatabase current,
    TimeProvider time,
    Output output
)
{
    /// <summary>Nothing else may use the catalogue meanwhile.</summary>
    public async Task<RebuildReport> RunAsync(bool dryRun, CancellationToken cancellationToken)
    {
        var previous = PreviousCatalogue.Read(current);
        var owner = await ownership.ReadAsync(cancellationToken);
        output.Note($"Reading the manifests in {store.Objects.Location}.");
        var surveyed = new Dictionary<string, SurveyedBackup>(
            await new StoreSurvey(store).RunAsync("", only: null, cancellationToken),
            StringComparer.Ordinal
        );
        if (owner is null)
            CheckMounted(surveyed, previous);
        foreach (
            var (key, found) in await local.RunAsync(ClientsFile.Read(settings.ClientsFile), [], cancellationToken)
        )
            surveyed[key] = found;
        var (selected, unfit) = ChainSelection.Run(
            surveyed.Values.Select(found => found.Backup).OfType<ListedBackup>(),
            []
        );

        var (findings, notes) = Sort(surveyed, previous);
        findings.AddRange(unfit);
        AddLost(findings, notes, selected, previous);
        string? kept = null;
        if (!dryRun)
            kept = await ReplaceAsync(selected, owner, previous, cancellationToken);
        return Describe(dryRun, selected, previous, kept, findings, notes);
    }

    /// <summary>A disk that is not mounted looks like a store whose backups are all lost.</summary>
    /// <param name="surveyed">By key.</param>
    private void CheckMounted(IReadOnlyDictionary<string, SurveyedBackup> surveyed, PreviousCatalogue previous)
    {
        List<string> listed = [.. previous.Listed.Where(key => StorageKey.SnapshotIdOf(key) is not null)];
        if (listed.Count > 0 && !listed.Exists(surveyed.ContainsKey))
            throw new OperationException(
                ExitCode.NotFound,
                $"{store.Objects.Location} has no {ReservedKeys.Owner}, and none of the {listed.Count} backups that "
                    + $"{current.Path} lists.",
                "Check that its disk is mounted, DATA_DIR and the settings of S3. If all of them are lost, move the "
                    + "catalogue away and run this again."
            );
    }

    private RebuildReport Describe(
        bool dryRun,
        IReadOnlyList<ListedBackup> selected,
        PreviousCatalogue previous,
        string? kept,
        List<CatalogueFinding> findings,
        List<CatalogueFinding> notes
    )
    {
        var listed = selected.Select(backup => backup.Info.StorageKey).ToHashSet(StringComparer.Ordinal);
        return new RebuildReport
        {
            DryRun = dryRun,
            Catalogue = current.Path,
            Listed = selected.Count,
            LeftOut = findings
                .Select(finding => finding.Key)
                .Distinct(StringComparer.Ordinal)
                .Count(key => !listed.Contains(key)),
            PreviousCatalogue = kept,
            PreviousListed = previous.Fault is null ? previous.Listed.Count : null,
            PreviousFault = previous.Fault,
            NoLongerListed =
            [
                .. previous
                    .Listed.Where(key => !listed.Contains(key))
                    .Select(key => StorageKey.SnapshotIdOf(key) ?? key),
            ],
            Findings = [.. findings.OrderBy(finding => finding.Key, StringComparer.Ordinal)],
            Notes = notes,
        };
    }

    /// <summary>Separates the remains of interrupted uploads from lost backups.</summary>
    private static (List<CatalogueFinding> Findings, List<CatalogueFinding> Notes) Sort(
        IReadOnlyDictionary<string, SurveyedBackup> surveyed,
        PreviousCatalogue previous
    )
    {
        List<CatalogueFinding> findings = [],
            notes = [];
        foreach (var (key, found) in surveyed)
        {
            if (found.HasManifest || !previous.Uploads.Contains(key))
                findings.AddRange(found.Findings);
            else
                notes.Add(
                    CatalogueFinding.Of(
                        FindingKind.UploadUnderWay,
                        key,
                        "It remains from an interrupted upload; its client sends the stream again, under another "
                            + "key. It can be deleted."
                    )
                );
        }

        return (findings, notes);
    }

    /// <summary>Adds backups of which nothing is stored: only the old catalogue knows them.</summary>
    private static void AddLost(
        List<CatalogueFinding> findings,
        List<CatalogueFinding> notes,
        IReadOnlyList<ListedBackup> selected,
        PreviousCatalogue previous
    )
    {
        var known = selected
            .Select(backup => backup.Info.StorageKey)
            .Concat(findings.Concat(notes).Select(finding => finding.Key))
            .ToHashSet(StringComparer.Ordinal);
        foreach (var key in previous.Listed.Where(key => !known.Contains(key)))
        {
            findings.Add(
                CatalogueFinding.Of(
                    FindingKind.ObjectMissing,
                    key,
                    "The old catalogue listed it, but the store has neither its manifest nor its object. Restore "
                        + "both from a copy of the store and run 'zfs-server catalogue rebuild', or send a full backup."
                )
            );
        }
    }

    /// <param name="owner">What the store says; null if it names no catalogue.</param>
    private async Task<string?> ReplaceAsync(
        IReadOnlyList<ListedBackup> selected,
        StoreOwner? owner,
        PreviousCatalogue previous,
        CancellationToken cancellationToken
    )
    {
        var aside = CatalogueExchange.AsideOf(current.Path);
        CatalogueExchange.Remove(aside); // from an interrupted rebuild
        var rebuilt = new CatalogueDatabase(settings with { DatabaseFile = aside });
        rebuilt.Prepare();
        var id = owner?.CatalogueId ?? previous.Id ?? CatalogueIdFile.Find(settings) ?? Guid.NewGuid().ToString("N");
        rebuilt.SetId(id);
        new BackupCatalogue(rebuilt).AddAll(selected.Select(previous.CarryOver));
        new BegunObjects(rebuilt, time).NoteAll(previous.Begun);

        // Before the exchange: if the new catalogue never comes into force, the next rebuild reuses its id from the
        // store.
        store.Objects.Prepare();
        if (owner is null)
            await ownership.WriteAsync(id, cancellationToken);
        rebuilt.NoteClaimedStore();
        rebuilt.TryNoteStoreStart(owner?.Epoch ?? 0, owner?.Run, owner?.Run); // all that is stored by now is listed
        cancellationToken.ThrowIfCancellationRequested();
        return CatalogueExchange.Exchange(current, rebuilt, time.GetUtcNow());
    }
}

internal sealed record RebuildReport
{
    public required bool DryRun { get; init; }

    /// <summary>The path of the catalogue.</summary>
    public required string Catalogue { get; init; }

    /// <summary>The number of listed backups.</summary>
    public required int Listed { get; init; }

    /// <summary>
    /// The number of backups, or objects of none, that are stored or were listed before, but are not listed now.
    /// </summary>
    public required int LeftOut { get; init; }

    /// <summary>The path of the old catalogue; null if none existed, or nothing was changed.</summary>
    public required string? PreviousCatalogue { get; init; }

    /// <summary>The number of backups that the old catalogue listed; null if it cannot be read.</summary>
    public required int? PreviousListed { get; init; }

    /// <summary>Why the old catalogue cannot be read; null if it can.</summary>
    public required string? PreviousFault { get; init; }

    /// <summary>Snapshot ids that the old catalogue listed and the new one does not.</summary>
    public required IReadOnlyList<string> NoLongerListed { get; init; }

    public required IReadOnlyList<CatalogueFinding> Findings { get; init; }

    public required IReadOnlyList<CatalogueFinding> Notes { get; init; }
}
