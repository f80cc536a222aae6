using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Restores a backup and, on wish, those of the datasets below its own and their properties. All of it grows under the
/// name that a restore works under, and takes its own name at once; interrupted, it goes on with the dataset at which
/// it was.
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
            Output.Warn(
                $"{missing} is left out: it has no backup of {backup.SnapshotName}. 'zfs-restore list' shows what "
                    + "there is of it."
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
            Properties = withProperties ? _properties : null,
        };

        async Task CompleteAsync(DatasetName partial)
        {
            foreach (var child in tree.Children)
            {
                var below = child.DatasetName[backup.DatasetName.Length..];
                await RestoreChildAsync(
                    child,
                    DatasetName.Parse(partial.Value + below),
                    dataset.Value + below,
                    cancellationToken
                );
            }

            await RestorePropertiesAsync(backup, partial, dataset.Value, cancellationToken);
        }
    }

    /// <param name="child">Its backup.</param>
    /// <param name="name">What it is called now.</param>
    /// <param name="final">And when all is there.</param>
    private async Task RestoreChildAsync(
        SnapshotInfo child,
        DatasetName name,
        string final,
        CancellationToken cancellationToken
    )
    {
        _children.Add(child.SnapshotId);
        if (await IsWholeAsync(name, child, cancellationToken))
            return;
        session.Output.Note($"{child.DatasetName}:");
        await CreateParentAsync(name, cancellationToken);
        await new ChainRestore(session, restart).RestoreAsync(
            list.ChainOf(child),
            name,
            force: false,
            partial => RestorePropertiesAsync(child, partial, final, cancellationToken),
            cancellationToken
        );
    }

    /// <summary>Whether an earlier run, which was interrupted later, has restored it.</summary>
    private async Task<bool> IsWholeAsync(DatasetName name, SnapshotInfo backup, CancellationToken cancellationToken) =>
        await session.Settings.Zfs.ExistsAsync(name, cancellationToken)
        && (await session.Settings.Zfs.ListSnapshotsAsync(name, cancellationToken)) is [.., var newest]
        && newest.Guid == backup.SnapshotGuid;

    /// <summary>One that was left out of the backups holds the others all the same.</summary>
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
        if (!withProperties)
            return;
        try
        {
            var manifest = await BackupManifest.FetchAsync(session, backup, cancellationToken);
            if (manifest is { Properties: null, PropertiesLeftOut: null })
                session.Output.Note($"{backup.SnapshotId} has no properties stored with it.");
            else
                _properties.Add(
                    await PropertyRestore.RunAsync(session.Settings.Zfs, dataset, manifest, cancellationToken) with
                    {
                        Dataset = final,
                    }
                );
        }
        catch (OperationException e) when (BackupManifest.IsLacking(e))
        {
            // The data are whole: nobody would want to lose them for that.
            _properties.Add(
                new RestoredProperties
                {
                    Dataset = final,
                    Set = [],
                    Skipped = new Dictionary<string, string>(),
                    Fault = e.Message,
                }
            );
        }
    }
}
