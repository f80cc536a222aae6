using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>
/// Makes, of a stored stream, the rest that <c>zfs receive -s</c> needs after an interruption: the stored BEGIN with
/// the resume point, the object at that point (with its OBJECT_RANGE in a raw stream), and all data from there on. Used
/// once. Not thread-safe. Sources: OpenZFS module/zfs/dmu_recv.c (resume_check, save_resume_state,
/// dmu_recv_resume_begin_check); tried on OpenZFS 2.3.2.
/// </summary>
public sealed class ReceiveResume
{
    private readonly ResumeToken _token;
    private readonly ResumePoint _from;
    private readonly EditableRecord _begin = new();
    private readonly EditableRecord _range = new();
    private SnapshotStreamInfo? _facts;
    private NvList? _beginPayload;
    private bool _hasRange;
    private bool _reached;
    private bool _ended;

    /// <summary>Prepares to continue a receive.</summary>
    /// <param name="token">The property <c>receive_resume_token</c> of the dataset, parsed.</param>
    public ReceiveResume(ResumeToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        (_token, _from) = (token, new ResumePoint(token.Object, token.Offset));
    }

    /// <summary>Writes the rest of a stored stream.</summary>
    /// <param name="stored">The whole stream that was being received; all of it is read and verified.</param>
    /// <param name="destination">Where the stream for <c>zfs receive -s</c> is written. After an exception it has no
    /// END.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="StreamCombinationException">The token is of another stream, or a stream of this kind cannot be
    /// resumed; nothing was written.</exception>
    /// <exception cref="SendStreamException">The stored stream is faulty, ends early, or is in an order that ZFS never
    /// sends.</exception>
    public Task WriteAsync(Stream stored, Stream destination, CancellationToken cancellationToken = default) =>
        WriteAsync(
            new[] { new StreamRun(ParserState.Start, null, stored) }.ToAsyncEnumerable(),
            destination,
            cancellationToken
        );

    /// <summary>Writes the rest of a stored stream of which only parts are read.</summary>
    /// <remarks>
    /// Every record of the runs is verified. Its checksum covers the whole stream up to it, so the first record of a
    /// run proves that the run follows the bytes that were left out, as far as the state gives their checksum; the end
    /// of a run must match the state after it; and END proves everything from the last run's first record on. What is
    /// left out is not read: it was verified when it was received. That nothing else is left out is up to the caller,
    /// whose choice of runs relies on the positions in the states.
    /// </remarks>
    /// <param name="runs">The runs that <see cref="Advanced.ReceiveParts"/> selects: the first begins with the stream,
    /// the last ends with it.</param>
    /// <param name="destination">Where the stream for <c>zfs receive -s</c> is written. After an exception it has no
    /// END.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="StreamCombinationException">The token is of another stream, or a stream of this kind cannot be
    /// resumed; nothing was written.</exception>
    /// <exception cref="SendStreamException">
    /// A run is faulty, ends early, does not match its states, or is in an order that ZFS never sends.
    /// </exception>
    public async Task WriteAsync(
        IAsyncEnumerable<StreamRun> runs,
        Stream destination,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(runs);
        ArgumentNullException.ThrowIfNull(destination);
        using var output = new StreamOutput(destination);
        var writer = new SendStreamWriter(output);
        await foreach (var run in runs.WithCancellation(cancellationToken).ConfigureAwait(false))
            await WriteRunAsync(run, writer, output, cancellationToken).ConfigureAwait(false);
        if (!_ended)
            throw new InvalidOperationException("The last run does not end with the stream.");
        Invariant.Require(_reached && writer.IsComplete, "the rest of a stream begins with BEGIN and ends with END");
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        Invariant.Require(output.Written == writer.Length, "every byte of the stream was written");
    }

    private async Task WriteRunAsync(
        StreamRun run,
        SendStreamWriter writer,
        StreamOutput output,
        CancellationToken cancellationToken
    )
    {
        var parser = SendStreamParser.Resume(
            _facts is null ? ParserState.Start : run.Before with { Begin = _facts, Snapshot = _facts }
        );
        using var reader = new SendStreamReader(run.Records, parser, leaveOpen: true);
        if (_facts is null)
            await ReadBeginAsync(reader, cancellationToken).ConfigureAwait(false);
        while (
            await reader.ReadRecordAsync(mayEndBetween: run.After is not null, cancellationToken).ConfigureAwait(false)
        )
        {
            SendOrder.Demand(reader.Parser);
            if (!IsNeeded(reader))
                continue;
            if (!_reached)
                Start(reader, writer);
            await RecordCopy.CopyAsync(reader, writer, output, cancellationToken).ConfigureAwait(false);
        }

        _ended = reader.Parser.IsComplete;
        if (
            run.After is { } after
            && reader.Parser.State with
            {
                Begin = null,
                Snapshot = null,
            } != after with { Begin = null, Snapshot = null }
        )
        {
            throw new SendStreamException(
                SendStreamError.ChecksumMismatch,
                reader.Parser.RecordCount,
                reader.Parser.StreamOffset,
                "the records up to here are not those of the state that is stored for this boundary"
            );
        }
    }

    private async Task ReadBeginAsync(SendStreamReader reader, CancellationToken cancellationToken)
    {
        _ = await reader.ReadRecordAsync(cancellationToken).ConfigureAwait(false);
        _ = _begin.Load(reader.Current);
        await reader.SkipPayloadAsync(cancellationToken).ConfigureAwait(false);
        Check(reader.Parser.Begin!);
        (_facts, _beginPayload) = (reader.Parser.Begin, reader.Parser.BeginPayload);
    }

    private void Check(SnapshotStreamInfo begin)
    {
        Demand(
            !begin.IsPackage,
            "The stored stream is a package of several streams: ZFS cannot resume the receive of a package."
        );
        Demand(!begin.IsResumed, "The stored stream is itself the rest of an interrupted one.");
        Demand(
            begin.SnapshotGuid == _token.SnapshotGuid,
            $"The token is of the snapshot with GUID {_token.SnapshotGuid}, the stored stream of {begin.SnapshotGuid}."
        );
        var from = _token.BaseGuid ?? 0;
        Demand(
            begin.BaseGuid == from,
            $"The token's stream starts from GUID {from}, the stored one from {begin.BaseGuid}."
        );
        DemandFeature(begin, StreamFeatures.LargeBlocks, _token.LargeBlocks);
        DemandFeature(begin, StreamFeatures.EmbedData, _token.Embedded);
        DemandFeature(begin, StreamFeatures.Compressed, _token.Compressed);
        DemandFeature(begin, StreamFeatures.Raw, _token.Raw);
    }

    private bool IsNeeded(SendStreamReader reader)
    {
        var header = reader.Current;
        if (_reached)
            return !IsBefore(reader.Parser.Position!.Value, header);
        if (header.Type == RecordType.ObjectRange && header.AsObjectRange().FirstObject <= _from.Object)
        {
            _hasRange = true;
            _ = _range.Load(header);
            return false;
        }

        return reader.Parser.Position!.Value >= new RecordPosition(_from.Object, RecordStage.Object, 0);
    }

    /// <summary>
    /// Whether it is data of the object that was already received; a FREE that reaches further is not.
    /// </summary>
    private bool IsBefore(RecordPosition position, RecordHeader header) =>
        position.Stage == RecordStage.Data
        && position.Object == _from.Object
        && position.Offset < _from.Offset
        && !(header.Type == RecordType.Free && header.AsFree().Length > _from.Offset - position.Offset);

    private void Start(SendStreamReader reader, SendStreamWriter writer)
    {
        var header = reader.Current;
        Demand(
            _from.Offset == 0 || (header.Type == RecordType.Object && header.AsObject().Object == _from.Object),
            $"The token continues inside object {_from.Object}, which the stored stream does not have."
        );
        WriteBegin(_facts!, writer);
        if (_hasRange && _from.Object - _range.Header.AsObjectRange().FirstObject < StreamLimits.DnodeSlots)
            writer.WriteHeader(_range.Header);
        _reached = true;
    }

    private void WriteBegin(SnapshotStreamInfo begin, SendStreamWriter writer)
    {
        var payload = BeginPayload.Pack(_from.AddTo(_beginPayload));
        var data = new BeginRecordData
        {
            BaseGuid = begin.BaseGuid,
            Features = begin.Features | StreamFeatures.Resuming,
            Flags = begin.Flags,
            PayloadLength = payload.Length,
        };
        writer.WriteHeader(_begin.SetBegin(data).Header);
        writer.WritePayload(payload);
    }

    private static void DemandFeature(SnapshotStreamInfo begin, StreamFeatures feature, bool expected) =>
        Demand(
            ((begin.Features & feature) != StreamFeatures.None) == expected,
            $"The token's stream {(expected ? "has" : "lacks")} the feature {feature}, the stored one "
                + $"{(expected ? "lacks" : "has")} it."
        );

    private static void Demand(bool holds, string message)
    {
        if (!holds)
            throw new StreamCombinationException(message);
    }
}
