using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>
/// Reads all layers by object number, ascending. For every number the newest layer that mentions it decides: the number
/// is freed, or it is an object, whose records are merged. Freed numbers stay freed in the merged stream, since its
/// receiver may have objects there.
/// </summary>
internal sealed class ObjectSweep
{
    private readonly MergeLayer[] _layers;
    private readonly MergeOutput _output;
    private readonly ObjectMerge _objects;
    private readonly bool _raw;
    private readonly List<MergeLayer> _mentions = [];
    private ulong _next; // all numbers below are done
    private (ulong First, ulong End) _freed; // not yet written
    private (ulong First, int Layer)? _range; // the last OBJECT_RANGE written
    private int _lastLayer; // the layer that decided the last number

    public ObjectSweep(MergeLayer[] layers, SendStreamWriter writer, StreamOutput output)
    {
        _layers = layers;
        _raw = layers[0].Begin.IsRaw;
        _output = new MergeOutput(writer, output, layers[^1].Begin.SnapshotGuid);
        _objects = new ObjectMerge(_output, _raw, layers[0].Begin.IsIncremental);
    }

    public async ValueTask RunAsync(CancellationToken cancellationToken)
    {
        foreach (var layer in _layers)
            await layer.StartAsync(cancellationToken).ConfigureAwait(false);
        while (NextNumber() is { } number)
        {
            await StepAsync(number, cancellationToken).ConfigureAwait(false);
            foreach (var layer in _layers)
                await SkipAsync(layer, cancellationToken).ConfigureAwait(false);
        }

        WriteFreed(ulong.MaxValue);
        Invariant.Require(
            Array.TrueForAll(_layers, layer => layer.IsAtEnd),
            "every merged stream was read to its end before the merged stream gets its END"
        );
        _output.WriteEnd();
    }

    /// <summary>The next number that any layer mentions.</summary>
    private ulong? NextNumber()
    {
        ulong? next = null;
        foreach (var layer in _layers)
        {
            var first = NextOf(layer);
            if (next is null || first < next)
                next = first;
        }

        return next;
    }

    private ulong? NextOf(MergeLayer layer)
    {
        if (layer.FreedUntil(_next) > _next)
            return _next;
        return layer.IsAtEnd ? null : layer.First;
    }

    private async ValueTask StepAsync(ulong number, CancellationToken cancellationToken)
    {
        _mentions.Clear();
        foreach (var layer in _layers)
        {
            if (layer.HasObject(number) || layer.FreedUntil(number) > number)
                _mentions.Add(layer);
        }

        var newest = _mentions[^1];
        _lastLayer = newest.Index;
        if (!newest.HasObject(number))
        {
            AddFreed(number, FreedUntil(newest, number));
            return;
        }

        Invariant.Require(number >= _next, "objects are merged in ascending order");
        _next = newest.End;
        WriteBefore(newest);
        await _objects.MergeAsync(number, _mentions, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Passes what a layer has about numbers that are done. Only older layers may have objects inside a large dnode.
    /// </summary>
    private ValueTask SkipAsync(MergeLayer layer, CancellationToken cancellationToken)
    {
        if (!layer.IsAtEnd && layer.Index > _lastLayer && layer.First < _next)
            throw layer.Fault($"object {layer.First} lies inside a large dnode that it does not free");
        return layer.SkipToAsync(_next, cancellationToken);
    }

    /// <summary>
    /// The end of a run of numbers that a layer frees, or the first number in it that a newer layer mentions.
    /// </summary>
    private ulong FreedUntil(MergeLayer layer, ulong number)
    {
        var end = layer.FreedUntil(number);
        for (var i = layer.Index + 1; i < _layers.Length; i++)
        {
            if (!_layers[i].IsAtEnd)
                end = Math.Min(end, _layers[i].First);
        }

        return end;
    }

    private void AddFreed(ulong first, ulong end)
    {
        if (_freed.End != first || _freed.First == _freed.End)
        {
            WriteFreed(ulong.MaxValue);
            _freed = (first, end);
        }

        _freed.End = _next = end;
    }

    /// <summary>Writes the freed numbers below a limit.</summary>
    private void WriteFreed(ulong limit)
    {
        var end = Math.Min(_freed.End, limit);
        if (_freed.First >= end)
            return;
        _output.WriteFreeObjects(_freed.First, end);
        _freed.First = end;
    }

    /// <summary>
    /// Writes the records before an object: freed numbers, and in a raw stream the OBJECT_RANGE, after the freed
    /// numbers of lower ranges but before those inside, as ZFS sends them (dmu_recv.c, receive_object: or_need_sync).
    /// </summary>
    private void WriteBefore(MergeLayer layer)
    {
        if (_raw)
            WriteRange(layer);
        WriteFreed(ulong.MaxValue);
    }

    private void WriteRange(MergeLayer layer)
    {
        var first = layer.Range.Header.AsObjectRange().FirstObject;
        if (_range?.First != first)
        {
            WriteFreed(first);
            _output.WriteRange(layer.Range.Header);
            _range = (first, layer.Index);
        }
        else if (_range?.Layer != layer.Index)
        {
            throw layer.Fault($"objects from {first} on were encrypted together, but come from several streams");
        }
    }
}
