namespace ZfsSnapshotManager.SendStream.Resume.Deflate;

/// <summary>
/// The head of a deflate block with codes of its own: the lengths of the codes, runs of them shortened, and coded in
/// turn. Source: RFC 1951, section 3.2.7; for how runs are cut, Linux lib/zlib_deflate/deftree.c, scan_tree.
/// </summary>
internal sealed class CodeLengths
{
    private const int Codes = 19;
    private const int LongestCode = 7;

    /// <summary>At least this many lengths are stored.</summary>
    private const int FewestStored = 4;
    private const int RepeatLast = 16;
    private const int RepeatZero = 17;
    private const int RepeatZeroOften = 18;

    /// <summary>
    /// The order in which the lengths of the codes for lengths are stored: those likely to be 0 last.
    /// </summary>
    private static readonly int[] StoredOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    private readonly int _literals;
    private readonly int _distances;
    private readonly List<(int Code, int Extra)> _runs = [];
    private readonly HuffmanCode _code;
    private readonly int _stored;

    public CodeLengths(ReadOnlySpan<byte> literals, ReadOnlySpan<byte> distances)
    {
        (_literals, _distances) = (literals.Length, distances.Length);
        AddRuns(literals);
        AddRuns(distances);
        var counts = new int[Codes];
        foreach (var (code, _) in _runs)
            counts[code]++;
        _code = HuffmanCode.Shortest(counts, LongestCode);
        _stored = Codes;
        while (_stored > FewestStored && _code.LengthOf(StoredOrder[_stored - 1]) == 0)
            _stored--;
    }

    /// <summary>Bits that <see cref="Write"/> writes.</summary>
    public int BitCount => 5 + 5 + 4 + (3 * _stored) + _runs.Sum(run => _code.LengthOf(run.Code) + ExtraBits(run.Code));

    public void Write(BitWriter output)
    {
        output.Write(_literals - 257, 5);
        output.Write(_distances - 1, 5);
        output.Write(_stored - FewestStored, 4);
        foreach (var code in StoredOrder.AsSpan(0, _stored))
            output.Write(_code.LengthOf(code), 3);
        foreach (var (code, extra) in _runs)
        {
            _code.Write(output, code);
            output.Write(extra, ExtraBits(code));
        }
    }

    private static int ExtraBits(int code) =>
        code switch
        {
            RepeatLast => 2,
            RepeatZero => 3,
            RepeatZeroOften => 7,
            _ => 0,
        };

    private void AddRuns(ReadOnlySpan<byte> lengths)
    {
        var before = -1;
        while (!lengths.IsEmpty)
        {
            var length = lengths[0];
            var same = lengths.IndexOfAnyExcept(length);
            var run = Math.Min(same < 0 ? lengths.Length : same, LongestRun(length, before));
            AddRun(length, run, before);
            before = length;
            lengths = lengths[run..];
        }
    }

    private static int LongestRun(int length, int before)
    {
        if (length == 0)
            return 138;
        return length == before ? 6 : 7;
    }

    private void AddRun(int length, int run, int before)
    {
        // A length that is not the one before must be named once before it can be repeated.
        var named = length != 0 && length != before ? 1 : 0;
        if (run < 3 + named)
        {
            _runs.AddRange(Enumerable.Repeat((length, 0), run));
            return;
        }

        _runs.AddRange(Enumerable.Repeat((length, 0), named));
        _runs.Add(
            (length, run) switch
            {
                (not 0, _) => (RepeatLast, run - named - 3),
                (_, <= 10) => (RepeatZero, run - 3),
                _ => (RepeatZeroOften, run - 11),
            }
        );
    }
}
