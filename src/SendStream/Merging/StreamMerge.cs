using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>
/// Merges a full stream and the incrementals that follow it into one full stream, or several incrementals into one,
/// without ZFS. What is received is what receiving the streams one after the other would leave: every object, block and
/// attribute, and the newest snapshot's GUID, so that the next incremental applies.
/// <para>
/// All streams are read once, side by side, by object and offset, the order in which ZFS sends them. Memory is bounded
/// by the number of streams: for each one buffer of 256 KiB and the payload of its BEGIN, whatever they hold. All are
/// verified to their ends before the merged stream gets its END: without that it is no stream, and nothing receives it.
/// </para>
/// Sources: OpenZFS module/zfs/dmu_recv.c (the rules for objects that exist), module/zfs/dmu_send.c (the order); tried
/// on OpenZFS 2.3.2.
/// </summary>
public static class StreamMerge
{
    /// <summary>Merges streams.</summary>
    /// <param name="sources">The streams, oldest first; the first may be full, each other is incremental to the one
    /// before it.</param>
    /// <param name="destination">Where the merged stream goes. If this fails later than by refusing, it lacks its
    /// END.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="ArgumentException">There is no stream.</exception>
    /// <exception cref="StreamCombinationException">The streams are no chain, or one that cannot be merged; nothing was
    /// written.</exception>
    /// <exception cref="SendStreamException">A stream is faulty, or in an order in which ZFS sends none.</exception>
    public static async Task MergeAsync(
        IReadOnlyList<Stream> sources,
        Stream destination,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(destination);
        if (sources.Count == 0)
            throw new ArgumentException("There is no stream to merge.", nameof(sources));

        var layers = sources.Select((source, index) => new MergeLayer(index, source)).ToArray();
        try
        {
            foreach (var layer in layers)
                await layer.OpenAsync(cancellationToken).ConfigureAwait(false);
            MergePlan.Check(layers);
            await MergeAsync(layers, destination, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            foreach (var layer in layers)
                layer.Dispose();
        }
    }

    private static async Task MergeAsync(MergeLayer[] layers, Stream destination, CancellationToken cancellationToken)
    {
        using var output = new StreamOutput(destination);
        var writer = new SendStreamWriter(output);
        MergePlan.WriteBegin(layers, writer);
        await new ObjectSweep(layers, writer, output).RunAsync(cancellationToken).ConfigureAwait(false);
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
