using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// What is noted on the datasets of a restored tree about those that they replace, before the first of these steps
/// aside: a run that is killed at any point is completed by the next.
/// </summary>
internal sealed class ReplacementNotes(ZfsHost zfs, TargetNames names)
{
    /// <summary>On a new dataset, a <see cref="ReplacedDataset"/> as a note.</summary>
    private const string Property = "zfs-snapshot-manager:replaces";

    /// <summary>
    /// An earlier run may have unmounted the old dataset and been killed: then its note says that it was mounted.
    /// </summary>
    /// <param name="replaced">The datasets to note.</param>
    public async Task WriteAsync(IEnumerable<ReplacedDataset> replaced, CancellationToken cancellationToken)
    {
        var mounted = (await ReadAsync(names.Partial, cancellationToken))
            .Where(note => note.IsMounted)
            .Select(note => note.Guid)
            .ToHashSet();
        await zfs.RunAsync(["inherit", "-r", Property, names.Partial.Value], cancellationToken);
        foreach (var dataset in replaced)
        {
            var note = mounted.Contains(dataset.Guid) ? dataset with { IsMounted = true } : dataset;
            await zfs.RunAsync(
                ["set", $"{Property}={note.ToNote()}", dataset.NameBelow(names.Partial)],
                cancellationToken
            );
        }
    }

    /// <param name="root">The root of the restored tree, by its name at this moment.</param>
    public async Task<IReadOnlyList<ReplacedDataset>> ReadAsync(DatasetName root, CancellationToken cancellationToken)
    {
        var rows = await zfs.RunTableAsync(
            ["get", "-H", "-r", "-s", "local", "-t", "filesystem,volume", "-o", "name,value", Property, root.Value],
            cancellationToken
        );
        return
        [
            .. rows.Select(row => ReplacedDataset.FromNote(row[0][root.Value.Length..], row[1]))
                .OfType<ReplacedDataset>()
                .OrderBy(note => note.Relative, StringComparer.Ordinal),
        ];
    }

    public Task ClearAsync() => zfs.RunAsync(["inherit", "-r", Property, names.Final.Value], CancellationToken.None);
}
