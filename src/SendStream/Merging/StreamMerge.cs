using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>
/// Merges a full stream and the incrementals that follow it into one full stream, or several incrementals into one,
/// without ZFS. Receiving the merged stream gives the same result as receiving the inputs in order: every object, block
/// and attribute, and the newest snapshot's GUID, so that the next incremental applies. Thread-safe: it holds no state.
/// <para>
/// All streams are read once, side by side, by object and offset, the order in which ZFS sends them. Memory is bounded
/// by the number of streams: a buffer of 256 KiB and the payload of BEGIN for each. All streams are verified to their
/// ends before the merged stream gets its END; without that nothing receives it.
/// </para>
/// Sources: OpenZFS module/zfs/dmu_recv.c (the rules for objects that exist), module/zfs/dmu_send.c (the order); tried
/// on OpenZFS 2.3.2.
/// </summary>
public static class StreamMerge
{
    /// <summary>Merges streams.</summary>
    /// <param name="sources">The streams, oldest first; the first may be full, each other is incremental to the one
    /// before it.</param>
    /// <param name="destination">Where the merged stream is written. After any exception but the first two it has no
    /// END.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="ArgumentException">No stream is given.</exception>
    /// <exception cref="StreamCombinationException">The streams are no chain, or one that cannot be merged; nothing was
    /// written.</exception>
    /// <exception cref="SendStreamException">A stream is faulty, or in an order that ZFS never sends.</exception>
    public static async Task MergeAsync(
        IReadOnlyList<Stream> sources,
        Stream destination,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(destination);
        if (sources.Count == 0)
            throw new ArgumentException("No stream is given.", nameof(sources));

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
