using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Restores a backup and, if asked to, its descendants and their properties. Everything is received below the temporary
/// name of the root and is renamed in one step. An interrupted restore resumes with the dataset at which it stopped.
/// </summary>
internal sealed class TreeRestore(
    RestoreSession session,
    BackupList list,
    bool restart,
    bool recursive,
    bool withProperties
)
{
    private readonly List<RestoredProperties> _properties = [];
    private readonly List<string> _children = [];

    public async Task<RestoreResult> RunAsync(
        SnapshotInfo backup,
        DatasetName dataset,
        bool force,
        CancellationToken cancellationToken
    )
    {
        var chain = list.ChainOf(backup);
        var tree = recursive ? TreePlan.Make(backup, list.Backups) : new TreePlan([], []);
        foreach (var missing in tree.Missing)
            session.Output.Warn(
                $"{missing} is left out: it has no backup of {backup.SnapshotName}. 'zfs-restore list' shows the "
                    + "backups it has."
            );
        var resumed = await new ChainRestore(session, restart).RestoreAsync(
            chain,
            dataset,
            force,
            CompleteAsync,
            cancellationToken
        );
        return new RestoreResult
        {
            Dataset = dataset.Value,
            Backup = backup,
            Received = [.. chain.Select(received => received.SnapshotId)],
            Resumed = resumed,
            Children = recursive ? _children : null,
            Missing = recursive ? tree.Missing : null,
            Properties = _properties,
        };

        async Task CompleteAsync(DatasetName partial)
        {
            foreach (var child in tree.Children)
                await RestoreChildAsync(child, Partial(child), cancellationToken);

            // From the top: what is set there is inherited below, and need not be set again.
            foreach (var restored in (SnapshotInfo[])[backup, .. tree.Children])
            {
                var final = dataset.Value + Below(restored);
                await RestorePropertiesAsync(restored, Partial(restored), final, cancellationToken);
            }

            DatasetName Partial(SnapshotInfo restored) => DatasetName.Parse(partial.Value + Below(restored));
        }

        string Below(SnapshotInfo restored) => restored.DatasetName[backup.DatasetName.Length..];
    }

    /// <param name="child">Its backup.</param>
    /// <param name="name">Its temporary name.</param>
    private async Task RestoreChildAsync(SnapshotInfo child, DatasetName name, CancellationToken cancellationToken)
    {
        _children.Add(child.SnapshotId);
        if (await IsCompleteAsync(name, child, cancellationToken))
            return;
        session.Output.Note($"{child.DatasetName}:");
        await CreateParentAsync(name, cancellationToken);
        await new ChainRestore(session, restart).RestoreAsync(
            list.ChainOf(child),
            name,
            force: false,
            _ => Task.CompletedTask,
            cancellationToken
        );
    }

    /// <summary>Whether an earlier run, which was interrupted later, has completely restored it.</summary>
    private async Task<bool> IsCompleteAsync(
        DatasetName name,
        SnapshotInfo backup,
        CancellationToken cancellationToken
    ) =>
        await session.Settings.Zfs.ExistsAsync(name, cancellationToken)
        && (await session.Settings.Zfs.ListSnapshotsAsync(name, cancellationToken)) is [.., var newest]
        && newest.Guid == backup.SnapshotGuid;

    /// <summary>A dataset that was excluded from the backups may still be the parent of others.</summary>
    private async Task CreateParentAsync(DatasetName name, CancellationToken cancellationToken)
    {
        var parent = DatasetName.Parse(name.Value[..name.Value.LastIndexOf('/')]);
        if (await session.Settings.Zfs.ExistsAsync(parent, cancellationToken))
            return;
        await session.Settings.Zfs.RunAsync(
            ["create", "-p", "-u", "-o", "canmount=off", parent.Value],
            cancellationToken
        );
    }

    private async Task RestorePropertiesAsync(
        SnapshotInfo backup,
        DatasetName dataset,
        string final,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var (manifest, _) = await ManifestDownload.FetchAsync(session, backup, cancellationToken);
            if (withProperties && manifest is { Properties: null, PropertiesLeftOut: null, EffectiveProperties: null })
                session.Output.Note($"{backup.SnapshotId} has no properties stored with it.");
            else
                _properties.Add(
                    await PropertyRestore.RunAsync(
                        session.Settings.Zfs,
                        dataset,
                        manifest,
                        withProperties,
                        cancellationToken
                    ) with
                    {
                        Dataset = final,
                    }
                );
        }
        catch (OperationException e) when (ManifestDownload.IsUnavailable(e))
        {
            // The data are complete and valid, and worth more than the properties.
            if (!withProperties)
                return;
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
        }
    }
}
