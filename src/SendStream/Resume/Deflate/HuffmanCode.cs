namespace ZfsSnapshotManager.SendStream.Resume.Deflate;

/// <summary>
/// A prefix code over the symbols 0, 1, 2, …: of all codes that are equally short, the one that zlib builds. Source:
/// Linux lib/zlib_deflate/deftree.c, build_tree, gen_bitlen; RFC 1951, section 3.2.2, for the codes from their lengths.
/// </summary>
internal sealed class HuffmanCode
{
    private const int LongestCode = 15;

    private readonly byte[] _lengths;
    private readonly ushort[] _codes;

    private HuffmanCode(byte[] lengths) => (_lengths, _codes) = (lengths, CodesOf(lengths));

    /// <summary>Bits of each symbol's code, up to the last one that has a code; 0 for one that has none.</summary>
    public ReadOnlySpan<byte> Lengths => _lengths.AsSpan(0, _lengths.AsSpan().LastIndexOfAnyExcept((byte)0) + 1);

    /// <summary>The code with these lengths.</summary>
    public static HuffmanCode Of(byte[] lengths) => new(lengths);

    /// <summary>The shortest code for symbols that occur this often.</summary>
    /// <param name="frequencies">How often each of 3 or more symbols occurs, 0 for never; less than 65,536 in
    /// total.</param>
    /// <param name="longest">The most bits a code may have.</param>
    public static HuffmanCode Shortest(ReadOnlySpan<int> frequencies, int longest)
    {
        var tree = new HuffmanTree(frequencies);
        return new HuffmanCode(tree.Lengths(longest));
    }

    /// <summary>Bits of this symbol's code.</summary>
    public int LengthOf(int symbol) => symbol < _lengths.Length ? _lengths[symbol] : 0;

    /// <summary>Writes this symbol's code.</summary>
    public void Write(BitWriter output, int symbol) => output.Write(_codes[symbol], _lengths[symbol]);

    private static ushort[] CodesOf(byte[] lengths)
    {
        var next = new int[LongestCode + 2];
        foreach (var length in lengths)
            next[length + 1] += length == 0 ? 0 : 1;
        for (var length = 1; length <= LongestCode; length++)
            next[length] = (next[length - 1] + next[length]) << 1;
        var codes = new ushort[lengths.Length];
        for (var symbol = 0; symbol < lengths.Length; symbol++)
            codes[symbol] = lengths[symbol] == 0 ? (ushort)0 : Reversed(next[lengths[symbol]]++, lengths[symbol]);
        return codes;
    }

    /// <summary>A code is written highest bit first, everything else lowest bit first.</summary>
    private static ushort Reversed(int code, int length)
    {
        var reversed = 0;
        for (var bit = 0; bit < length; bit++)
            reversed = (reversed << 1) | ((code >> bit) & 1);
        return (ushort)reversed;
    }
}
