using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>
/// Continues a send that was interrupted: <see cref="Token"/> makes <c>zfs send -t</c> continue from the last record
/// that arrived completely, and what it sends becomes the second part of the first stream: without its BEGIN, without
/// the records that it repeats, with the checksums that the whole stream has there. Where ZFS is deterministic, both
/// parts together are byte for byte what an uninterrupted send would have been. Immutable and thread-safe. Sources:
/// OpenZFS module/zfs/dmu_send.c (setup_resume_points, dump_dnode, send_cb); tried on OpenZFS 2.3.2.
/// </summary>
public sealed class StreamSplice
{
    private const int CopySize = 256 * 1024;

    private readonly ParserState _first;
    private readonly SnapshotStreamInfo _begin;

    /// <summary>Prepares to continue a stream.</summary>
    /// <param name="first">The parser's state at the last record boundary of the first part; at least BEGIN must have
    /// been read.</param>
    /// <exception cref="StreamCombinationException">A stream of this kind, or at this point, cannot be continued; the
    /// message states why.</exception>
    public StreamSplice(ParserState first)
    {
        ArgumentNullException.ThrowIfNull(first);
        _first = first;
        _begin = Continuable(first);
        Token = new ResumeToken
        {
            BaseGuid = _begin.IsIncremental ? _begin.BaseGuid : null,
            Object = first.ResumePoint.Object,
            Offset = first.ResumePoint.Offset,
            Bytes = (ulong)first.ResumeBytes,
            SnapshotGuid = _begin.SnapshotGuid,
            FullSnapshotName = _begin.FullSnapshotName,
            LargeBlocks = Has(StreamFeatures.LargeBlocks),
            Embedded = Has(StreamFeatures.EmbedData),
            Compressed = Has(StreamFeatures.Compressed),
            Raw = Has(StreamFeatures.Raw),
        };
    }

    /// <summary>
    /// The token for <c>zfs send -t</c>. It names <see cref="ParserState.ResumePoint"/>, like the one that <c>zfs
    /// receive -s</c> would have made; if no object had been sent, the start of the stream, so that ZFS sends all of it
    /// again.
    /// </summary>
    public ResumeToken Token { get; }

    /// <summary>Whether a record of the second part was already sent in the first.</summary>
    /// <param name="position">Its position.</param>
    public bool IsRepeated(RecordPosition position) => _first.Position is { } last && position <= last;

    /// <summary>
    /// Checks that a second part belongs to the first: snapshots, flags, features, and the resume point.
    /// </summary>
    /// <param name="second">The BEGIN of the second part.</param>
    /// <exception cref="StreamCombinationException">It does not; the message states the difference.</exception>
    public void Check(SnapshotStreamInfo second)
    {
        ArgumentNullException.ThrowIfNull(second);
        Demand(!second.IsPackage, "The second part is a package of several streams, not the rest of one.");
        Same("is of the snapshot with GUID", _begin.SnapshotGuid, second.SnapshotGuid);
        Same("starts from GUID", _begin.BaseGuid, second.BaseGuid);
        Same("is of a", _begin.Type, second.Type);
        Same("was made at", _begin.CreationTime, second.CreationTime);
        Same("has flags", _begin.Flags, second.Flags);
        Same("uses", _begin.Features, second.Features & ~StreamFeatures.Resuming);
        var from = second.ResumePoint ?? ResumePoint.Start;
        Demand(
            from == ResumePoint.Start || IsRepeated(from.Position),
            $"The second part continues from object {from.Object} at {from.Offset}, but the first reaches only "
                + $"{Describe(_first.ResumePoint)}."
        );
    }

    /// <summary>Writes the second part as it must follow the first, whose bytes are not written.</summary>
    /// <param name="second">The output of <c>zfs send -t</c>; all of it is verified.</param>
    /// <param name="destination">Where the rest of the stream is written. After an exception it has no END.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="StreamCombinationException">The parts do not belong together; nothing was written.</exception>
    /// <exception cref="SendStreamException">The second part is faulty, ends early, or is in an order that ZFS never
    /// sends.</exception>
    public Task WriteRestAsync(Stream second, Stream destination, CancellationToken cancellationToken = default) =>
        WriteAsync(null, second, destination, cancellationToken);

    /// <summary>
    /// Opens the second part as it must follow the first, for callers that read synchronously. It is read in slices of
    /// 256 KiB, which are edited in place. Reading throws what <see cref="WriteRestAsync"/> throws, and gives only
    /// bytes that were verified.
    /// </summary>
    /// <param name="second">The output of <c>zfs send -t</c>; it stays open.</param>
    public Stream OpenRest(Stream second)
    {
        ArgumentNullException.ThrowIfNull(second);
        return new SplicedStream(this, _first.Checksum, second);
    }

    /// <summary>Writes the whole stream: the valid part of the first, and then the second.</summary>
    /// <param name="first">The first part, from its first byte; bytes after the boundary are not read. Null: leave it
    /// out.</param>
    /// <param name="second">The output of <c>zfs send -t</c>; all of it is verified.</param>
    /// <param name="destination">Where the whole stream is written. After an exception it has no END.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="StreamCombinationException">The parts do not belong together; nothing was written.</exception>
    /// <exception cref="SendStreamException">
    /// The second part is faulty, ends early, or is in an order that ZFS never sends; or the first is shorter than it
    /// was.
    /// </exception>
    public async Task WriteAsync(
        Stream? first,
        Stream second,
        Stream destination,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(destination);
        using var reader = new SendStreamReader(second, leaveOpen: true);
        using var output = new StreamOutput(destination);
        var writer = new SendStreamWriter(output, _first);
        await ReadBeginAsync(reader, cancellationToken).ConfigureAwait(false);
        if (first is not null)
            await CopyFirstAsync(first, destination, cancellationToken).ConfigureAwait(false);
        while (await reader.ReadRecordAsync(cancellationToken).ConfigureAwait(false))
        {
            SendOrder.Demand(reader.Parser);
            if (!IsRepeated(reader.Parser.Position!.Value))
                await RecordCopy.CopyAsync(reader, writer, output, cancellationToken).ConfigureAwait(false);
        }

        Invariant.Require(writer.IsComplete, "a spliced stream ends with END");
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        Invariant.Require(
            output.Written == writer.Length - _first.StreamOffset,
            "the second part begins at the byte where the first one ends"
        );
    }

    private async Task CopyFirstAsync(Stream first, Stream destination, CancellationToken cancellationToken)
    {
        var buffer = new byte[CopySize];
        var left = _first.StreamOffset;
        while (left > 0)
        {
            var count = await first
                .ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), cancellationToken)
                .ConfigureAwait(false);
            if (count == 0)
                throw new SendStreamException(
                    SendStreamError.EndsEarly,
                    _first.RecordCount,
                    _first.StreamOffset - left,
                    "the first part is shorter than it was"
                );
            await destination.WriteAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
            left -= count;
        }
    }

    private async Task ReadBeginAsync(SendStreamReader reader, CancellationToken cancellationToken)
    {
        _ = await reader.ReadRecordAsync(cancellationToken).ConfigureAwait(false);
        await reader.SkipPayloadAsync(cancellationToken).ConfigureAwait(false);
        Check(reader.Parser.Begin!);
    }

    private static SnapshotStreamInfo Continuable(ParserState first)
    {
        Demand(
            first.Phase != StreamPhase.Start,
            "Nothing of the stream was sent yet: start the send again, without a token."
        );
        Demand(first.Phase != StreamPhase.End, "The stream is complete: nothing is left to continue.");
        Demand(
            first.Phase == StreamPhase.Snapshot,
            "The stream is a package (zfs send -R, -I or -p): ZFS cannot resume a package. Send it again from its "
                + "start."
        );
        var begin = first.Snapshot!;
        Demand(
            !begin.IsResumed,
            "The first part is itself the rest of an interrupted stream: continue the whole one, with its own BEGIN."
        );
        Demand(
            (begin.Features & (StreamFeatures.Redacted | StreamFeatures.Dedup)) == StreamFeatures.None,
            "A redacted or deduplicated stream cannot be continued. Send it again from its start."
        );
        Demand(
            first.FollowsSendOrder,
            "The first part is in an order that ZFS never sends. Send the stream again from its start."
        );
        return begin;
    }

    private static string Describe(ResumePoint point) =>
        point == ResumePoint.Start ? "no object" : $"object {point.Object} at {point.Offset}";

    private static void Same<T>(string verb, T first, T second) =>
        Demand(
            EqualityComparer<T>.Default.Equals(first, second),
            $"The parts do not belong together: the first {verb} {first}, the second {verb} {second}."
        );

    private static void Demand(bool holds, string message)
    {
        if (!holds)
            throw new StreamCombinationException(message);
    }

    private bool Has(StreamFeatures feature) => (_begin.Features & feature) != StreamFeatures.None;
}
