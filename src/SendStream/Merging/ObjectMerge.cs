using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>
/// Merges the records of one object from all layers that have them, as a receiver of the layers, one after the other,
/// would keep them: the newest OBJECT, the newest version of every block, the newest spill block. All layers are read
/// side by side, by offset, so that only the current record of each is held. Source: OpenZFS module/zfs/dmu_recv.c,
/// receive_object, receive_handle_existing_object, receive_free, receive_spill.
/// </summary>
internal sealed class ObjectMerge(MergeOutput output, bool raw, bool incremental)
{
    private readonly List<MergeLayer> _layers = []; // those that contribute, oldest first
    private ObjectFacts? _facts;
    private (ulong Start, ulong End) _former; // still to free of an earlier object of the same number
    private bool _replaced;
    private int _firstSpill; // index of the first layer whose spill block contributes
    private int _firstData; // position in _layers of the first one whose blocks contribute

    /// <summary>Merges an object.</summary>
    /// <param name="number">Its number.</param>
    /// <param name="mentions">All layers that mention it, oldest first; the newest has its OBJECT.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public async ValueTask MergeAsync(
        ulong number,
        IReadOnlyList<MergeLayer> mentions,
        CancellationToken cancellationToken
    )
    {
        Reset();
        foreach (var layer in mentions)
            await AddAsync(number, layer, isNewest: layer == mentions[^1], cancellationToken).ConfigureAwait(false);

        await WriteObjectAsync(number, cancellationToken).ConfigureAwait(false);
        var spillFrom = await WriteEarlySpillsAsync(cancellationToken).ConfigureAwait(false);
        await WriteDataAsync(number, cancellationToken).ConfigureAwait(false);
        await WriteLateSpillsAsync(spillFrom, cancellationToken).ConfigureAwait(false);
    }

    private MergeLayer Newest => _layers[^1];

    /// <summary>
    /// A receiver assumes that a spill block marked unmodified is the one it has. It has none if the object is new to
    /// it, and another one if a layer in between changed it.
    /// </summary>
    private bool SpillsAreChanged => !incremental || _replaced || _layers.Count > 1;

    private void Reset()
    {
        _layers.Clear();
        (_facts, _replaced, _firstSpill, _firstData) = (null, false, 0, 0);
    }

    /// <summary>
    /// Adds the next newer layer that mentions the object, and advances it behind the OBJECT unless it is the newest.
    /// </summary>
    private async ValueTask AddAsync(ulong number, MergeLayer layer, bool isNewest, CancellationToken cancellationToken)
    {
        if (!layer.HasObject(number))
        {
            await ForgetAsync(cancellationToken).ConfigureAwait(false);
            _facts = null;
            return;
        }

        var facts = ObjectFacts.Of(layer.Reader.Current.AsObject(), layer.Begin);
        var hasSpill = layer.Reader.Current.AsObject().HasSpill;
        if (_facts is { } old)
        {
            var oldEnd = _layers[^1].TailStart;
            var retention = facts.RetentionOf(old, oldEnd, raw);
            if (retention == ObjectRetention.Nothing)
                await ForgetAsync(cancellationToken).ConfigureAwait(false);
            else if (retention == ObjectRetention.SpillOnly)
                ForgetBlocks();
            else if (facts.KeepsBlockSize(old, oldEnd, raw))
                facts = facts with { BlockSize = old.BlockSize, LargeBlocks = false };
        }

        _facts = facts;
        // Without the flag a receiver drops the spill block that it has, but not one that follows in the same stream.
        if (!hasSpill)
            _firstSpill = layer.Index;
        _layers.Add(layer);
        if (!isNewest)
            await layer.EnterObjectAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Drops all records that older layers have of the object.</summary>
    private async ValueTask ForgetAsync(CancellationToken cancellationToken)
    {
        foreach (var layer in _layers)
        {
            if (layer.Stage is not null)
                await layer.SkipObjectAsync(cancellationToken).ConfigureAwait(false);
        }

        _layers.Clear();
        ForgetBlocks();
    }

    /// <summary>Drops the blocks that older layers have of the object.</summary>
    private void ForgetBlocks() => (_firstData, _replaced) = (_layers.Count, true);

    private async ValueTask WriteObjectAsync(ulong number, CancellationToken cancellationToken)
    {
        await output.WriteObjectAsync(Newest.Reader, _facts!.Value.BlockSize, cancellationToken).ConfigureAwait(false);
        await Newest.EnterObjectAsync(cancellationToken).ConfigureAwait(false);
        var tail = _layers.Skip(_firstData).Min(layer => layer.TailStart);
        // Up to the tail only: a FREE of everything would reset the block count that a raw OBJECT sets.
        _former = (0, _replaced && incremental ? tail : 0);
        if (tail != ulong.MaxValue)
            output.WriteFree(number, tail, ulong.MaxValue);
    }

    /// <summary>Writes the newest of the spill blocks before the data.</summary>
    /// <returns>Index of the first layer whose later spill block is newer than the one written.</returns>
    private async ValueTask<int> WriteEarlySpillsAsync(CancellationToken cancellationToken)
    {
        int? written = null;
        for (var i = _layers.Count - 1; i >= 0; i--)
        {
            var layer = _layers[i];
            if (layer.Stage != RecordStage.EarlySpill)
                continue;
            if (written is null && layer.Index >= _firstSpill)
            {
                await output.WriteSpillAsync(layer.Reader, SpillsAreChanged, cancellationToken).ConfigureAwait(false);
                written = layer.Index;
            }

            await layer.NextInObjectAsync(cancellationToken).ConfigureAwait(false);
        }

        return written ?? _firstSpill;
    }

    /// <summary>
    /// Writes the newest of the spill blocks after the data; by now every layer stands at one, or after its object.
    /// </summary>
    private async ValueTask WriteLateSpillsAsync(int from, CancellationToken cancellationToken)
    {
        for (var i = _layers.Count - 1; i >= 0; i--)
        {
            var layer = _layers[i];
            if (layer.Stage is null)
                continue;
            if (layer.Index >= from)
            {
                await output.WriteSpillAsync(layer.Reader, SpillsAreChanged, cancellationToken).ConfigureAwait(false);
                from = layer.Index + 1;
            }

            await layer.NextInObjectAsync(cancellationToken).ConfigureAwait(false);
            if (layer.Stage is not null)
                throw layer.Fault("a record of the object follows its spill block");
        }
    }

    /// <summary>
    /// Writes all data by offset. Data that a newer layer replaces are left out; a FREE is cut into the ranges between
    /// newer records, so that no two records overlap, as in the streams that ZFS sends.
    /// </summary>
    private async ValueTask WriteDataAsync(ulong number, CancellationToken cancellationToken)
    {
        for (var i = 0; i < _firstData; i++)
            await SkipDataAsync(_layers[i], cancellationToken).ConfigureAwait(false);
        while (NextData() is { } position)
        {
            var (start, end) = DataAt(position);
            var until = CoveredUntil(position, start);
            var isFree = position < 0 || _layers[position].Reader.Current.Type == RecordType.Free;
            if (isFree && until <= start)
            {
                until = Math.Min(end, NextNewerStart(position));
                output.WriteFree(number, start, until == ulong.MaxValue ? ulong.MaxValue : until - start);
            }
            else if (!isFree && until <= start)
            {
                if (NextNewerStart(position) < end)
                    throw CutBlock(_layers[position]);
                await output.WriteBlockAsync(_layers[position].Reader, cancellationToken).ConfigureAwait(false);
                until = end;
            }
            else if (!isFree && until < end)
            {
                throw CutBlock(_layers[position]);
            }

            await PassAsync(position, until, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async ValueTask SkipDataAsync(MergeLayer layer, CancellationToken cancellationToken)
    {
        while (layer.Stage == RecordStage.Data)
            await layer.NextInObjectAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// The position in <see cref="_layers"/> of the layer whose next data begin first, of several the oldest; -1: the
    /// range to free of an earlier object.
    /// </summary>
    private int? NextData()
    {
        int? next = _former.Start < _former.End ? -1 : null;
        for (var i = _firstData; i < _layers.Count; i++)
        {
            if (
                _layers[i].Stage == RecordStage.Data
                && (next is null || _layers[i].DataStart < DataAt(next.Value).Start)
            )
                next = i;
        }

        return next;
    }

    private (ulong Start, ulong End) DataAt(int position) =>
        position < 0 ? _former : (_layers[position].DataStart, _layers[position].DataEnd);

    /// <summary>Passes data up to an offset.</summary>
    private ValueTask PassAsync(int position, ulong offset, CancellationToken cancellationToken)
    {
        if (position < 0)
            _former.Start = offset;
        else if (offset >= _layers[position].DataEnd)
            return _layers[position].NextInObjectAsync(cancellationToken);
        else
            _layers[position].ClipData(offset);
        return ValueTask.CompletedTask;
    }

    /// <summary>The offset up to which newer layers replace data at an offset; not above it if none does.</summary>
    private ulong CoveredUntil(int position, ulong offset)
    {
        var covered = 0UL;
        for (var i = Math.Max(position + 1, _firstData); i < _layers.Count; i++)
        {
            var newer = _layers[i];
            covered = Math.Max(covered, newer.TailStart <= offset ? ulong.MaxValue : newer.PassedEnd);
            if (newer.Stage == RecordStage.Data && newer.DataStart <= offset)
                covered = Math.Max(covered, newer.DataEnd);
        }

        return covered;
    }

    /// <summary>The offset of the next data of newer layers, or the end of the object in one of them.</summary>
    private ulong NextNewerStart(int position)
    {
        var start = ulong.MaxValue;
        for (var i = Math.Max(position + 1, _firstData); i < _layers.Count; i++)
        {
            start = Math.Min(start, _layers[i].TailStart);
            if (_layers[i].Stage == RecordStage.Data)
                start = Math.Min(start, _layers[i].DataStart);
        }

        return start;
    }

    /// <summary>All blocks of an object have one size, so ZFS replaces whole blocks.</summary>
    private static SendStreamException CutBlock(MergeLayer layer) =>
        layer.Fault($"the block of object {layer.First} at {layer.DataStart} is replaced in part by a newer stream");
}
