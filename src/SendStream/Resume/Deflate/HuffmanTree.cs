namespace ZfsSnapshotManager.SendStream.Resume.Deflate;

/// <summary>
/// The tree behind a <see cref="HuffmanCode"/>: joins the two rarest nodes until one is left. Which of equally rare
/// nodes is chosen decides the code, so the heap is zlib's: ties are won by the less deep node, then by the one nearer
/// the top. Source: Linux lib/zlib_deflate/deftree.c, build_tree, pqdownheap, gen_bitlen.
/// </summary>
internal sealed class HuffmanTree
{
    private readonly int _symbols;
    private readonly int[] _frequency;
    private readonly int[] _depth;
    private readonly int[] _parent;

    /// <summary>The nodes left to join, the rarest at 1; position 0 is not used.</summary>
    private readonly int[] _heap;
    private int _heapCount;

    /// <summary>All nodes that were joined, the rarest first, the root last.</summary>
    private readonly List<int> _joined = [];

    public HuffmanTree(ReadOnlySpan<int> frequencies)
    {
        _symbols = frequencies.Length;
        (_frequency, _depth, _parent, _heap) = (
            new int[2 * _symbols],
            new int[2 * _symbols],
            new int[2 * _symbols],
            new int[_symbols + 1]
        );
        frequencies.CopyTo(_frequency);
        FillHeap();
        JoinAll();
    }

    /// <summary>Bits for each symbol's code, 0 if it has none; none longer than the longest allowed.</summary>
    public byte[] Lengths(int longest)
    {
        var (lengths, counts) = (new byte[2 * _symbols], new int[longest + 1]);
        var tooLong = 0;
        for (var i = _joined.Count - 2; i >= 0; i--)
        {
            var node = _joined[i];
            var length = lengths[_parent[node]] + 1;
            tooLong += length > longest ? 1 : 0;
            lengths[node] = (byte)Math.Min(length, longest);
            counts[lengths[node]] += IsSymbol(node) ? 1 : 0;
        }

        if (tooLong > 0)
            Shorten(lengths, counts, tooLong);
        return lengths[.._symbols];
    }

    private bool IsSymbol(int node) => node < _symbols;

    /// <summary>Adds symbols until at least two have a code, of one bit each: decoders need not handle fewer.</summary>
    private void FillHeap()
    {
        var last = -1;
        for (var symbol = 0; symbol < _symbols; symbol++)
        {
            if (_frequency[symbol] != 0)
                _heap[++_heapCount] = last = symbol;
        }

        while (_heapCount < 2)
        {
            var added = last < 2 ? ++last : 0;
            _heap[++_heapCount] = added;
            _frequency[added] = 1;
        }

        for (var slot = _heapCount / 2; slot >= 1; slot--)
            SiftDown(slot);
    }

    private void JoinAll()
    {
        for (var node = _symbols; _heapCount >= 2; node++)
        {
            var rarest = _heap[1];
            _heap[1] = _heap[_heapCount--];
            SiftDown(1);
            var next = _heap[1];
            _joined.AddRange([rarest, next]);
            _frequency[node] = _frequency[rarest] + _frequency[next];
            _depth[node] = Math.Max(_depth[rarest], _depth[next]) + 1;
            _parent[rarest] = _parent[next] = node;
            _heap[1] = node;
            SiftDown(1);
        }

        _joined.Add(_heap[1]);
    }

    private void SiftDown(int slot)
    {
        var node = _heap[slot];
        for (var child = 2 * slot; child <= _heapCount; child = 2 * slot)
        {
            if (child < _heapCount && ComesFirst(_heap[child + 1], _heap[child]))
                child++;
            if (ComesFirst(node, _heap[child]))
                break;
            _heap[slot] = _heap[child];
            slot = child;
        }

        _heap[slot] = node;
    }

    private bool ComesFirst(int node, int other) =>
        _frequency[node] < _frequency[other]
        || (_frequency[node] == _frequency[other] && _depth[node] <= _depth[other]);

    /// <summary>
    /// Finds codes for the nodes that were cut off at the longest length, two at a time: a leaf above gets a longer
    /// code and a sibling. Then the rarest symbols get the longest codes.
    /// </summary>
    private void Shorten(byte[] lengths, int[] counts, int tooLong)
    {
        var longest = counts.Length - 1;
        for (; tooLong > 0; tooLong -= 2)
        {
            var length = longest - 1;
            while (counts[length] == 0)
                length--;
            counts[length]--;
            counts[length + 1] += 2;
            counts[longest]--;
        }

        var given = longest;
        foreach (var symbol in _joined.Where(IsSymbol))
        {
            while (counts[given] == 0)
                given--;
            lengths[symbol] = (byte)given;
            counts[given]--;
        }
    }
}
