namespace ZfsSnapshotManager.SendStream.Resume.Deflate;

/// <summary>
/// One deflate block, the last one: coded with codes of its own, with the fixed codes, or stored uncompressed,
/// whichever is shortest. Source: RFC 1951, section 3.2; for the choices, Linux lib/zlib_deflate/deftree.c,
/// zlib_tr_flush_block.
/// </summary>
internal sealed class DeflateBlock
{
    private const int LiteralCodes = 286;
    private const int DistanceCodes = 30;
    private const int EndOfBlock = 256;
    private const int FirstLength = 257;
    private const int LongestCode = 15;

    /// <summary>Type of a block in its header, with the lowest bit set: the last block.</summary>
    private const int StoredBlock = 1;
    private const int FixedBlock = 3;
    private const int DynamicBlock = 5;

    /// <summary>The shortest length of each length code; the next table has the number of extra bits.</summary>
    private static readonly int[] LengthFrom =
    [
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
        13,
        15,
        17,
        19,
        23,
        27,
        31,
        35,
        43,
        51,
        59,
        67,
        83,
        99,
        115,
        131,
        163,
        195,
        227,
        258,
    ];

    private static readonly int[] LengthBits =
    [
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        1,
        1,
        1,
        2,
        2,
        2,
        2,
        3,
        3,
        3,
        3,
        4,
        4,
        4,
        4,
        5,
        5,
        5,
        5,
        0,
    ];

    /// <summary>The same for distances.</summary>
    private static readonly int[] DistanceFrom =
    [
        1,
        2,
        3,
        4,
        5,
        7,
        9,
        13,
        17,
        25,
        33,
        49,
        65,
        97,
        129,
        193,
        257,
        385,
        513,
        769,
        1025,
        1537,
        2049,
        3073,
        4097,
        6145,
        8193,
        12289,
        16385,
        24577,
    ];

    private static readonly int[] DistanceBits =
    [
        0,
        0,
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
        5,
        5,
        6,
        6,
        7,
        7,
        8,
        8,
        9,
        9,
        10,
        10,
        11,
        11,
        12,
        12,
        13,
        13,
    ];

    private static readonly HuffmanCode FixedLiterals = HuffmanCode.Of([
        .. Repeat(8, 144),
        .. Repeat(9, 112),
        .. Repeat(7, 24),
        .. Repeat(8, 8),
    ]);

    private static readonly HuffmanCode FixedDistances = HuffmanCode.Of([.. Repeat(5, DistanceCodes)]);

    private readonly List<DeflateSymbol> _symbols;
    private readonly int[] _literalCounts = new int[LiteralCodes];
    private readonly int[] _distanceCounts = new int[DistanceCodes];

    private DeflateBlock(List<DeflateSymbol> symbols)
    {
        _symbols = symbols;
        _literalCounts[EndOfBlock] = 1;
        foreach (var symbol in symbols)
        {
            _literalCounts[LiteralCodeOf(symbol)]++;
            if (symbol.Distance != 0)
                _distanceCounts[CodeOf(symbol.Distance, DistanceFrom)]++;
        }
    }

    /// <summary>Writes the block; the last byte is not filled up.</summary>
    /// <param name="output">The destination.</param>
    /// <param name="input">The contents; at most 65,535 bytes.</param>
    /// <param name="symbols">The contents as symbols.</param>
    public static void Write(BitWriter output, ReadOnlySpan<byte> input, List<DeflateSymbol> symbols)
    {
        var block = new DeflateBlock(symbols);
        var literals = HuffmanCode.Shortest(block._literalCounts, LongestCode);
        var distances = HuffmanCode.Shortest(block._distanceCounts, LongestCode);
        var header = new CodeLengths(literals.Lengths, distances.Lengths);

        // Compared in whole bytes, as zlib does: if both have as many bytes, the fixed codes win.
        var dynamicBytes = Bytes(header.BitCount + block.BitCount(literals, distances));
        var fixedBytes = Bytes(block.BitCount(FixedLiterals, FixedDistances));
        if (input.Length + 4 <= Math.Min(dynamicBytes, fixedBytes))
        {
            WriteStored(output, input);
        }
        else if (fixedBytes <= dynamicBytes)
        {
            output.Write(FixedBlock, 3);
            block.WriteSymbols(output, FixedLiterals, FixedDistances);
        }
        else
        {
            output.Write(DynamicBlock, 3);
            header.Write(output);
            block.WriteSymbols(output, literals, distances);
        }
    }

    /// <summary>Whole bytes for a block of this many bits and the 3 of its type.</summary>
    private static int Bytes(int bits) => (bits + 3 + 7) / 8;

    private static void WriteStored(BitWriter output, ReadOnlySpan<byte> input)
    {
        output.Write(StoredBlock, 3);
        output.FillByte();
        output.Write(input.Length, 16);
        output.Write(~input.Length & 0xffff, 16);
        output.Write(input);
    }

    private static IEnumerable<byte> Repeat(byte length, int count) => Enumerable.Repeat(length, count);

    private int BitCount(HuffmanCode literals, HuffmanCode distances)
    {
        var bits = 0;
        for (var code = 0; code < LiteralCodes; code++)
            bits +=
                _literalCounts[code]
                * (literals.LengthOf(code) + (code < FirstLength ? 0 : LengthBits[code - FirstLength]));
        for (var code = 0; code < DistanceCodes; code++)
            bits += _distanceCounts[code] * (distances.LengthOf(code) + DistanceBits[code]);
        return bits;
    }

    private void WriteSymbols(BitWriter output, HuffmanCode literals, HuffmanCode distances)
    {
        foreach (var symbol in _symbols)
        {
            var code = LiteralCodeOf(symbol);
            literals.Write(output, code);
            if (symbol.Distance == 0)
                continue;
            output.Write(symbol.Value - LengthFrom[code - FirstLength], LengthBits[code - FirstLength]);
            var distance = CodeOf(symbol.Distance, DistanceFrom);
            distances.Write(output, distance);
            output.Write(symbol.Distance - DistanceFrom[distance], DistanceBits[distance]);
        }

        literals.Write(output, EndOfBlock);
    }

    private static int LiteralCodeOf(DeflateSymbol symbol) =>
        symbol.Distance == 0 ? symbol.Value : FirstLength + CodeOf(symbol.Value, LengthFrom);

    /// <summary>The last code that begins at or below the value.</summary>
    private static int CodeOf(int value, int[] from)
    {
        var found = Array.BinarySearch(from, value);
        return found >= 0 ? found : ~found - 1;
    }
}
