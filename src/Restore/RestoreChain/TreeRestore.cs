using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Restores a backup and, if asked to, its descendants and their properties. Everything is received below the temporary
/// name of the root and is renamed in one step. An interrupted restore resumes with the dataset at which it stopped. A
/// descendant that cannot be restored does not stop the others.
/// </summary>
internal sealed class TreeRestore(RestoreSession session, BackupList list, RestoreOptions options)
{
    private readonly List<RestoredProperties> _properties = [];
    private readonly List<string> _children = [];
    private readonly TreeFailures _failures = new();

    public async Task<RestoreResult> RunAsync(
        SnapshotInfo backup,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        var chain = list.ChainOf(backup);
        var tree = options.Recursive ? TreePlan.Make(backup, list.Backups) : new TreePlan([], []);
        tree = tree.Without(options.Excluded);
        CheckNames(backup, dataset, tree);
        foreach (var missing in tree.Missing)
            session.Output.Warn(
                $"{missing} is left out: it has no backup of {backup.SnapshotName}. 'zfs-restore list' shows the "
                    + "backups it has."
            );
        var restore = new ChainRestore(
            session,
            list.Backups,
            options with
            {
                Members = MembersOf(backup, tree),
            },
            new ReceiveEncryption(session, options.Encryption, isSentRaw: tree.Children.Append(backup).Any(b => b.Raw))
        );
        var resumed = await restore.RestoreAsync(chain, dataset, dataset, CompleteAsync, cancellationToken);
        if (options.Recursive)
            await new UnfinishedMembers(session, backup, list).WarnAsync(dataset, cancellationToken);
        string? mountedAt = null;
        if (options.Force)
            mountedAt = await FindMountpointAsync(dataset, cancellationToken);
        return new RestoreResult
        {
            Dataset = dataset.Value,
            Backup = backup,
            MountedAt = mountedAt,
            Received = [.. chain.Select(received => received.SnapshotId)],
            Resumed = resumed,
            Children = options.Recursive ? _children : null,
            Missing = options.Recursive ? tree.Missing : null,
            Properties = _properties,
        };

        async Task<IReadOnlyCollection<string>> CompleteAsync(ReceivedDataset root)
        {
            foreach (var child in tree.Children)
            {
                var below = Below(child);
                if (root.HasFinalName)
                    await CheckFinishedChildAsync(child, DatasetName.Parse(dataset.Value + below), cancellationToken);
                else
                    await TryRestoreChildAsync(
                        restore,
                        child,
                        (root.Name.Value + below, dataset.Value + below),
                        cancellationToken
                    );
            }

            if (root.HasFinalName)
                _failures.ThrowIfAnyIsMissing(dataset);
            _failures.ThrowIfAny(tree.Children.Count);
            // From the top: what is set there is inherited below, and need not be set again.
            var ofRoot = await RestorePropertiesAsync(backup, root.Name, dataset.Value, cancellationToken);
            foreach (var child in tree.Children)
            {
                var name = DatasetName.Parse(root.Name.Value + Below(child));
                await RestorePropertiesAsync(child, name, dataset.Value + Below(child), cancellationToken);
            }

            return ofRoot;
        }

        string Below(SnapshotInfo restored) => restored.DatasetName[backup.DatasetName.Length..];
    }

    /// <exception cref="OperationException">A name is too long while a descendant is received.</exception>
    private void CheckNames(SnapshotInfo root, DatasetName dataset, TreePlan tree)
    {
        var chains = new BackupChains(list.Backups);
        foreach (var child in tree.Children)
        {
            var name = TargetNames.PartialOf(
                TargetNames.PartialOf(dataset),
                child.DatasetName[root.DatasetName.Length..]
            );
            if (chains.Resolve(child) is { } chain)
                ChainNames.Choose(chain, name);
        }
    }

    private static HashSet<string> MembersOf(SnapshotInfo root, TreePlan tree) =>
        tree
            .Children.Append(root)
            .Select(member => member.DatasetName[root.DatasetName.Length..])
            .ToHashSet(StringComparer.Ordinal);

    /// <returns>Where the dataset is mounted, since it replaced one that was; null if it is not.</returns>
    private async Task<string?> FindMountpointAsync(DatasetName dataset, CancellationToken cancellationToken)
    {
        var rows = await session.Settings.Zfs.RunTableAsync(
            ["get", "-H", "-o", "value", "mounted,mountpoint", dataset.Value],
            cancellationToken
        );
        return rows.Select(row => row[0]).ToList() is ["yes", var mountpoint] ? mountpoint : null;
    }

    /// <param name="restore">Restores a chain.</param>
    /// <param name="child">Its backup.</param>
    /// <param name="names">Its temporary and its final name.</param>
    private async Task TryRestoreChildAsync(
        ChainRestore restore,
        SnapshotInfo child,
        (string Temporary, string Final) names,
        CancellationToken cancellationToken
    )
    {
        if (_failures.FindAbove(child.DatasetName) is { } parent)
        {
            _failures.AddBelow(child.DatasetName, parent);
            return;
        }

        try
        {
            await RestoreChildAsync(restore, child, names, cancellationToken);
            _children.Add(child.SnapshotId);
        }
        catch (Exception e) when (TreeFailures.SparesOthers(e))
        {
            session.Output.Warn($"{child.DatasetName} cannot be restored: {e.Message}");
            _failures.Add(child.DatasetName, e);
        }
    }

    /// <summary>
    /// An earlier run has given the tree its name. It may have been one without the descendants, or without this one;
    /// what is in the way of receiving it now may be in use.
    /// </summary>
    private async Task CheckFinishedChildAsync(
        SnapshotInfo child,
        DatasetName name,
        CancellationToken cancellationToken
    )
    {
        if (await new TreeMember(session, name).IsFinishedAsync(child, cancellationToken))
            _children.Add(child.SnapshotId);
        else
            _failures.AddMissing(child, name);
    }

    private async Task RestoreChildAsync(
        ChainRestore restore,
        SnapshotInfo child,
        (string Temporary, string Final) names,
        CancellationToken cancellationToken
    )
    {
        var (name, final) = (DatasetName.Parse(names.Temporary), DatasetName.Parse(names.Final));
        var chain = list.ChainOf(child);
        var member = new TreeMember(session, name);
        if (await member.IsCompleteAsync(chain, list.Backups, cancellationToken))
            return;
        session.Output.Note($"{child.DatasetName}:");
        await member.CreateParentsAsync(cancellationToken);
        await restore.RestoreAsync(
            chain,
            name,
            final,
            _ => Task.FromResult<IReadOnlyCollection<string>>([]),
            cancellationToken
        );
    }

    /// <returns>The names of the properties that were set.</returns>
    private async Task<IReadOnlyCollection<string>> RestorePropertiesAsync(
        SnapshotInfo backup,
        DatasetName dataset,
        string final,
        CancellationToken cancellationToken
    )
    {
        Manifest manifest;
        try
        {
            manifest = await ManifestDownload.FetchHeaderAsync(
                session,
                backup,
                isNeeded: options.Properties,
                cancellationToken
            );
        }
        catch (OperationException e) when (!options.Properties || ManifestDownload.IsUnavailable(e))
        {
            // The data are complete and valid, and worth more than the properties.
            _properties.Add(
                new RestoredProperties
                {
                    Dataset = final,
                    Set = [],
                    Skipped = new Dictionary<string, string>(),
                    Differences = [],
                    Fault = e.Message,
                }
            );
            return [];
        }

        if (options.Properties && manifest is { Properties: null, PropertiesLeftOut: null, EffectiveProperties: null })
        {
            session.Output.Note($"{backup.SnapshotId} has no properties stored with it.");
            return [];
        }

        var restored = await PropertyRestore.RunAsync(
            session.Settings.Zfs,
            dataset,
            manifest,
            options.Properties,
            cancellationToken
        );
        _properties.Add(restored with { Dataset = final });
        return [.. restored.Set];
    }
}
