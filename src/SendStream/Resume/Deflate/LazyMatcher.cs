namespace ZfsSnapshotManager.SendStream.Resume.Deflate;

/// <summary>
/// Finds repetitions, with the choices of zlib's level 6: the hash of three bytes, the number of earlier positions of
/// the same hash that are examined, and that a match waits for the next position, which may have a longer one. Source:
/// Linux lib/zlib_deflate/deflate.c, deflate_slow and longest_match; the numbers from its configuration_table.
/// </summary>
internal ref struct LazyMatcher
{
    private const int ShortestMatch = 3;
    private const int LongestMatch = 258;
    private const int NoMatch = ShortestMatch - 1;

    /// <summary>After a match this long only a quarter of the earlier positions are examined.</summary>
    private const int GoodLength = 8;

    /// <summary>A match this long is used without examining the next position.</summary>
    private const int LazyLength = 16;

    /// <summary>A match this long ends the search.</summary>
    private const int NiceLength = 128;

    /// <summary>The most earlier positions that are examined.</summary>
    private const int LongestChain = 128;

    /// <summary>Three bytes from farther away than this cost more than three bytes.</summary>
    private const int TooFar = 4096;

    private const int HashBits = 15;

    private readonly ReadOnlySpan<byte> _input;
    private readonly List<DeflateSymbol> _symbols = [];

    /// <summary>
    /// The last position of each hash, and for each position the one before. Position 0 means none, so nothing repeats
    /// it.
    /// </summary>
    private readonly ushort[] _newest = new ushort[1 << HashBits];
    private readonly ushort[] _older;

    private LazyMatcher(ReadOnlySpan<byte> input)
    {
        _input = input;
        _older = new ushort[input.Length];
    }

    /// <summary>Splits the input into symbols.</summary>
    /// <param name="input">At most 32 KiB: all of it is within the window.</param>
    public static List<DeflateSymbol> Find(ReadOnlySpan<byte> input)
    {
        var matcher = new LazyMatcher(input);
        matcher.Run();
        return matcher._symbols;
    }

    private readonly void Run()
    {
        var (length, start, byteWaits) = (NoMatch, 0, false);
        var at = 0;
        while (at < _input.Length)
        {
            var (waitingLength, waitingStart) = (length, start);
            (length, start) = MatchAt(at, waitingLength);
            if (waitingLength >= ShortestMatch && length <= waitingLength)
            {
                _symbols.Add(new DeflateSymbol(waitingLength, at - 1 - waitingStart));
                at = InsertUpTo(at + 1, at - 1 + waitingLength);
                (length, byteWaits) = (NoMatch, false);
                continue;
            }

            if (byteWaits)
                _symbols.Add(new DeflateSymbol(_input[at - 1], 0));
            byteWaits = true;
            at++;
        }

        if (byteWaits)
            _symbols.Add(new DeflateSymbol(_input[^1], 0));
    }

    /// <summary>Remembers the position and returns its match, if one is longer than the match that waits.</summary>
    private readonly (int Length, int Start) MatchAt(int at, int waitingLength)
    {
        var candidate = Insert(at);
        if (candidate == 0 || waitingLength >= LazyLength)
            return (NoMatch, 0);
        var (length, start) = Longest(at, candidate, waitingLength);
        return length == ShortestMatch && at - start > TooFar ? (NoMatch, 0) : (length, start);
    }

    private readonly (int Length, int Start) Longest(int at, int candidate, int waitingLength)
    {
        var rest = _input[at..];
        rest = rest[..Math.Min(rest.Length, LongestMatch)];
        var enough = Math.Min(rest.Length, NiceLength);
        var (best, length, start) = (waitingLength, NoMatch, 0);
        for (
            var left = waitingLength >= GoodLength ? LongestChain / 4 : LongestChain;
            left > 0 && candidate != 0;
            left--
        )
        {
            var found = rest.CommonPrefixLength(_input[candidate..]);
            if (found > best)
                (best, length, start) = (found, found, candidate);
            if (length >= enough)
                break;
            candidate = _older[candidate];
        }

        return (length, start);
    }

    private readonly int InsertUpTo(int at, int end)
    {
        for (var next = at; next < end; next++)
            _ = Insert(next);
        return end;
    }

    /// <summary>
    /// Remembers the position and returns the last one before it whose three bytes have the same hash; 0 if none has.
    /// </summary>
    private readonly int Insert(int at)
    {
        if (at + ShortestMatch > _input.Length)
            return 0;
        var hash = ((_input[at] << 10) ^ (_input[at + 1] << 5) ^ _input[at + 2]) & ((1 << HashBits) - 1);
        var older = _newest[hash];
        (_older[at], _newest[hash]) = (older, (ushort)at);
        return older;
    }
}
