using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Sets on a restored dataset the stored properties of its source, if asked to, and tells what differs.
/// </summary>
internal static class PropertyRestore
{
    /// <param name="zfs">Where the dataset is.</param>
    /// <param name="dataset">The restored dataset. What is above it has its properties already.</param>
    /// <param name="manifest">What is stored of the source.</param>
    /// <param name="change">Whether to set anything.</param>
    /// <returns>Which properties were set, which were not, and which differ.</returns>
    public static async Task<RestoredProperties> RunAsync(
        ZfsHost zfs,
        DatasetName dataset,
        Manifest manifest,
        bool change,
        CancellationToken cancellationToken
    )
    {
        var here = (await zfs.ReadPropertiesAsync(dataset, cancellationToken)).Behaviour;
        var plan = PropertyPlan.Make(manifest, here);
        List<string> set = [];
        List<string> refused = [];
        var skipped = new Dictionary<string, string>(plan.Skipped, StringComparer.Ordinal);
        foreach (var (name, value) in change ? plan.Set : [])
        {
            if (await TrySetAsync(zfs, dataset, name, value, cancellationToken) is { } fault)
            {
                skipped[name] = fault;
                refused.Add(name);
            }
            else
            {
                set.Add(name);
            }
        }

        if (set.Count > 0)
            here = (await zfs.ReadPropertiesAsync(dataset, cancellationToken)).Behaviour;
        return new RestoredProperties
        {
            Dataset = dataset.Value,
            Set = set,
            Refused = refused,
            Skipped = change ? skipped : new Dictionary<string, string>(),
            Differences = PropertyPlan.FindDifferences(manifest, here),
        };
    }

    /// <returns>Why it was not set; null if it was.</returns>
    private static async Task<string?> TrySetAsync(
        ZfsHost zfs,
        DatasetName dataset,
        string name,
        string value,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await zfs.RunAsync(["set", $"{name}={value}", dataset.Value], cancellationToken);
            return null;
        }
        catch (ZfsException e)
        {
            return e.StandardError.Trim();
        }
    }
}
