using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Receives a chain of backups, the full one first, into a new dataset. What an earlier run received is not received
/// again, and what this run received stays if it fails, unless it is proven useless.
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
    /// <param name="complete">Completes the restore before the dataset gets its final name; called with its temporary
    /// name. Returns the names of the properties that it set.</param>
    /// <returns>Where an earlier run was resumed; null if none was.</returns>
    public async Task<ResumedRestore?> RestoreAsync(
        IReadOnlyList<SnapshotInfo> chain,
        DatasetName dataset,
        DatasetName final,
        Func<DatasetName, Task<IReadOnlyCollection<string>>> complete,
        CancellationToken cancellationToken
    )
    {
        var isPartOfTree = dataset != final;
        if (!isPartOfTree && await CompleteInterruptedAsync(chain, dataset, cancellationToken))
            return ResumedRestore.OfAll(chain);
        var target = await RestoreTarget.PrepareAsync(
            session,
            dataset,
            options.Force && !isPartOfTree,
            options.Members,
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
        var isReceived = false;
        try
        {
            isResumed &= await receive.RunAsync(plan, cancellationToken);
            isReceived = true;
            var restored = await complete(target.Partial);
            await target.FinishAsync(restored, cancellationToken);
            return isResumed ? ResumedRestore.Of(plan, chain) : null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var kept = new KeptData(session.Output, target, chain);
            if (!isReceived && KeptData.ProvesDamage(e))
                await kept.DropUselessAsync();
            if (isPartOfTree)
                throw; // the root of the tree explains it
            var explained = await kept.ExplainAsync(e);
            if (explained == e)
                throw;
            throw explained;
        }
    }

    private Task<bool> CompleteInterruptedAsync(
        IReadOnlyList<SnapshotInfo> chain,
        DatasetName dataset,
        CancellationToken cancellationToken
    ) =>
        RestoreTarget.CompleteInterruptedAsync(
            session,
            dataset,
            options.Force,
            chain[^1].SnapshotGuid,
            cancellationToken
        );

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
