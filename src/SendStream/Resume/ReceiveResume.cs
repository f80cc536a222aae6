using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>
/// Makes, of a stored stream, the rest that <c>zfs receive -s</c> needs after an interruption: the stored BEGIN with the place where
/// it goes on, the object at that place (with its OBJECT_RANGE in a raw stream), and all data from there on.
/// Sources: OpenZFS module/zfs/dmu_recv.c (resume_check, save_resume_state, dmu_recv_resume_begin_check); tried on OpenZFS 2.3.2.
/// </summary>
public sealed class ReceiveResume
{
    private readonly ResumeToken _token;
    private readonly ResumePoint _from;
    private readonly EditableRecord _begin = new();
    private readonly EditableRecord _range = new();
    private bool _hasRange;
    private bool _reached;

    /// <summary>Prepares to go on.</summary>
    /// <param name="token">The property <c>receive_resume_token</c> of the dataset, parsed.</param>
    public ReceiveResume(ResumeToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        (_token, _from) = (token, new ResumePoint(token.Object, token.Offset));
    }

    /// <summary>Writes the rest of a stored stream.</summary>
    /// <param name="stored">The whole stream that was being received; all of it is read and verified.</param>
    /// <param name="destination">Where the stream for <c>zfs receive -s</c> goes. If this fails, it lacks its END.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="StreamEditException">The token is of another stream, or the stream's BEGIN is of a strange kind; nothing was written.</exception>
    /// <exception cref="SendStreamException">The stored stream is faulty, ends early, or is in an order in which ZFS sends none.</exception>
    public async Task WriteAsync(Stream stored, Stream destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using var reader = new SendStreamReader(stored, leaveOpen: true);
        using var output = new StreamOutput(destination);
        var writer = new SendStreamWriter(output);
        _ = await reader.ReadRecordAsync(cancellationToken).ConfigureAwait(false);
        _begin.Load(reader.Current);
        await reader.SkipPayloadAsync(cancellationToken).ConfigureAwait(false);
        Check(reader.Parser.Begin!);
        while (await reader.ReadRecordAsync(cancellationToken).ConfigureAwait(false))
        {
            SendOrder.Demand(reader.Parser);
            if (!IsNeeded(reader))
                continue;
            if (!_reached)
                Start(reader, writer);
            await RecordCopy.CopyAsync(reader, writer, output, cancellationToken).ConfigureAwait(false);
        }

        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private void Check(BeginFacts begin)
    {
        Demand(!begin.IsPackage, "The stored stream is a package of several streams: ZFS cannot resume the receive of a package.");
        Demand(!begin.IsResumed, "The stored stream is itself the rest of an interrupted one.");
        Demand(begin.ToGuid == _token.ToGuid, $"The token is of the snapshot with GUID {_token.ToGuid}, the stored stream of {begin.ToGuid}.");
        var from = _token.FromGuid ?? 0;
        Demand(begin.FromGuid == from, $"The token's stream starts from GUID {from}, the stored one from {begin.FromGuid}.");
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

    /// <summary>Whether it is data of the object that was received already; a FREE that reaches further is not.</summary>
    private bool IsBefore(RecordPosition position, RecordHeader header) =>
        position.Stage == RecordStage.Data && position.Object == _from.Object && position.Offset < _from.Offset
        && !(header.Type == RecordType.Free && header.AsFree().Length > _from.Offset - position.Offset);

    private void Start(SendStreamReader reader, SendStreamWriter writer)
    {
        var header = reader.Current;
        Demand(
            _from.Offset == 0 || (header.Type == RecordType.Object && header.AsObject().Object == _from.Object),
            $"The token goes on inside object {_from.Object}, which the stored stream does not have.");
        WriteBegin(reader.Parser, writer);
        if (_hasRange && _from.Object - _range.Header.AsObjectRange().FirstObject < StreamLimits.DnodeSlots)
            writer.WriteHeader(_range.Header);
        _reached = true;
    }

    private void WriteBegin(SendStreamParser parser, SendStreamWriter writer)
    {
        var begin = parser.Begin!;
        var payload = BeginPayload.Pack(_from.AddTo(parser.BeginPayload));
        writer.WriteHeader(
            _begin.SetBegin(begin.FromGuid, begin.Features | StreamFeatures.Resuming, begin.Flags, payload.Length).Header);
        writer.WritePayload(payload);
    }

    private static void DemandFeature(BeginFacts begin, StreamFeatures feature, bool expected) =>
        Demand(
            ((begin.Features & feature) != StreamFeatures.None) == expected,
            $"The token's stream {(expected ? "has" : "lacks")} the feature {feature}, the stored one {(expected ? "lacks" : "has")} it.");

    private static void Demand(bool holds, string message)
    {
        if (!holds)
            throw new StreamEditException(message);
    }
}
