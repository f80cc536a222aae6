using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Receives a chain of backups, the full one first, into a new dataset. What an earlier run received is not received
/// again, and what this run received stays if it fails.
/// </summary>
/// <param name="session">The server.</param>
/// <param name="all">All backups on the server.</param>
/// <param name="options">What was asked for.</param>
/// <param name="encryption">Decides whether it is encrypted.</param>
internal sealed class ChainRestore(
    RestoreSession session,
    IReadOnlyList<SnapshotInfo> all,
    RestoreOptions options,
    ReceiveEncryption encryption
)
{
    /// <param name="chain">The full backup first.</param>
    /// <param name="dataset">The dataset to create.</param>
    /// <param name="final">Its name in the end; another one if it is a part of a tree.</param>
    /// <param name="complete">Completes the restore before the dataset gets its final name, or after an earlier run has
    /// given it that name. Returns the names of the properties that it set.</param>
    /// <returns>Where an earlier run was resumed; null if none was.</returns>
    public async Task<ResumedRestore?> RestoreAsync(
        IReadOnlyList<SnapshotInfo> chain,
        DatasetName dataset,
        DatasetName final,
        Func<ReceivedDataset, Task<IReadOnlyCollection<string>>> complete,
        CancellationToken cancellationToken
    )
    {
        var isPartOfTree = dataset != final;
        var names = TargetNames.Of(dataset);
        if (
            !isPartOfTree
            && await new EarlierRun(session, names).CompleteAsync(chain[^1], options.Force, cancellationToken)
        )
        {
            await complete(new ReceivedDataset(dataset, HasFinalName: true));
            return ResumedRestore.OfAll(chain);
        }

        var target = await RestoreTarget.PrepareAsync(
            session,
            names,
            chain[^1],
            options with
            {
                Force = options.Force && !isPartOfTree,
            },
            cancellationToken
        );
        var receive = new ChainReceive(
            session,
            target,
            new ReceivedChain(chain, ChainNames.Choose(chain, target.Partial), all),
            encryption,
            final
        );
        var plan = await receive.PlanAsync(options.Restart, cancellationToken);
        var isResumed = plan.First > 0 || plan.Token is not null;
        if (isResumed)
            session.Output.Note($"Resuming the interrupted restore: {Describe(plan, chain)}");
        DescribeTransfer(chain);
        try
        {
            isResumed &= await receive.RunAsync(plan, cancellationToken);
            var restored = await complete(new ReceivedDataset(target.Partial, HasFinalName: false));
            await target.FinishAsync(restored, cancellationToken);
            return isResumed ? ResumedRestore.Of(plan, chain) : null;
        }
        catch (Exception e) when (e is not OutOfMemoryException && !isPartOfTree) // the tree's root explains those
        {
            var explained = await new KeptData(session.Output, target, chain).ExplainAsync(e);
            if (explained == e)
                throw;
            throw explained;
        }
    }

    private static string Describe(RestorePlan plan, IReadOnlyList<SnapshotInfo> chain)
    {
        if (plan.Token is { } token)
            return $"{ByteSize.Format((long)token.Bytes)} of {chain[plan.First].SnapshotId} already received";
        if (plan.First == chain.Count)
            return "everything already received";
        return $"{plan.First} of {chain.Count} backups already received";
    }

    private void DescribeTransfer(IReadOnlyList<SnapshotInfo> chain)
    {
        var engines = chain
            .Select(backup => backup.Compression)
            .Distinct(StringComparer.Ordinal)
            .Select(name =>
                CompressionFormats.TryParse(name, out var format) ? CompressionEngine.Describe(format) : name
            );
        session.Detail(
            $"Fetching up to {session.Settings.ParallelParts} parts at once, in "
                + $"{ByteSize.Format(session.Settings.PartMemory)} of memory (more only if a single part is larger); "
                + $"{string.Join(", ", engines)}; waiting up to {session.Settings.RetryTime.TotalSeconds:0} s for "
                + "the server"
        );
    }
}
