using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// The loops of <see cref="Fletcher4"/>: one word at a time, and vectors of three widths. All give the same sums.
/// <para>
/// A vector loop deals the words out among its 64-bit lanes, two to each, sums every lane by itself, and combines the
/// lanes at the end (the idea is that of OpenZFS module/zcommon/zfs_fletcher_superscalar.c). The two words of a lane
/// need not be unpacked: the sums are linear, so those of the low words are those of the whole lanes less 2^32 times
/// those of the high words.
/// </para>
/// <para>Words are read in this machine's byte order, so the sums are those of ZFS on little-endian machines
/// only.</para>
/// <para>The methods that combine lanes are inlined: as arguments, vectors would pass through memory, in pieces of 16
/// bytes.</para>
/// </summary>
internal static class Fletcher4Kernels
{
    /// <summary>From this many vectors on, the loop saves more than combining the lanes costs.</summary>
    private const int ManyVectors = 16;

    /// <summary>
    /// The fastest loop for this many words on this machine. Code compiled ahead of time uses at most 128 bits, unless
    /// it is compiled for newer processors only (docs/decisions/0010-vectors-without-avx.md); the other loops are then
    /// left out.
    /// </summary>
    public static Fletcher4 Append(in Fletcher4 state, ReadOnlySpan<uint> words)
    {
        if (Vector512.IsHardwareAccelerated && words.Length >= ManyVectors * Vector512<uint>.Count)
            return By512Bits(state, words);
        if (Vector256.IsHardwareAccelerated && words.Length >= ManyVectors * Vector256<uint>.Count)
            return By256Bits(state, words);
        if (Vector128.IsHardwareAccelerated && words.Length >= ManyVectors * Vector128<uint>.Count)
            return By128Bits(state, words);
        return Scalar(state, words);
    }

    /// <summary>One word at a time.</summary>
    public static Fletcher4 Scalar(in Fletcher4 state, ReadOnlySpan<uint> words)
    {
        var (a, b, c, d) = state;
        unchecked
        {
            foreach (var word in words)
            {
                a += word;
                b += a;
                c += b;
                d += c;
            }
        }

        return new Fletcher4(a, b, c, d);
    }

    /// <summary>Four words at a time.</summary>
    public static Fletcher4 By128Bits(in Fletcher4 state, ReadOnlySpan<uint> words) => ByLanes<Lanes128>(state, words);

    /// <summary>Eight words at a time.</summary>
    public static Fletcher4 By256Bits(in Fletcher4 state, ReadOnlySpan<uint> words) => ByLanes<Lanes256>(state, words);

    /// <summary>Sixteen words at a time.</summary>
    public static Fletcher4 By512Bits(in Fletcher4 state, ReadOnlySpan<uint> words) => ByLanes<Lanes512>(state, words);

    private static Fletcher4 ByLanes<T>(in Fletcher4 state, ReadOnlySpan<uint> words)
        where T : unmanaged, ILanes<T>
    {
        var vectors = MemoryMarshal.Cast<uint, T>(words);
        T a = default,
            b = default,
            c = default,
            d = default; // of whole lanes
        T e = default,
            f = default,
            g = default,
            h = default; // of their high words
        unchecked
        {
            foreach (var vector in vectors)
            {
                a += vector;
                b += a;
                c += b;
                d += c;
                e += vector >>> 32;
                f += e;
                g += f;
                h += g;
            }

            a -= e << 32;
            b -= f << 32;
            c -= g << 32;
            d -= h << 32;
        }

        var high = new Sums<T>(e, f, g, h);
        var low = new Sums<T>(a, b, c, d);
        var dealt = vectors.Length * (Unsafe.SizeOf<T>() / sizeof(uint));
        return Scalar(Concatenate(state, Alternate(T.Gather(low), T.Gather(high)), (ulong)dealt), words[dealt..]);
    }

    /// <summary>
    /// The sums over x1 y1 x2 y2 …, from those over the x and those over the y. A word that is the k-th from the end
    /// counts k times in B, k(k+1)/2 times in C, k(k+1)(k+2)/6 times in D. If it is the j-th from the end of its own
    /// kind, k is 2j - 1 for a y and 2j for an x; put into these three terms, and written as multiples of the same
    /// terms of j, that gives x: 2B, 4C - B, 8D - 4C; y: 2B - A, 4C - 3B, 8D - 8C + B.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Sums<T> Alternate<T>(Sums<T> x, Sums<T> y)
        where T : IAdditionOperators<T, T, T>, ISubtractionOperators<T, T, T>, IShiftOperators<T, int, T> =>
        unchecked(
            new(
                x.A + y.A,
                ((x.B + y.B) << 1) - y.A,
                ((x.C + y.C) << 2) - x.B - y.B - (y.B << 1),
                ((x.D + y.D) << 3) - (x.C << 2) - (y.C << 3) + y.B
            )
        );

    /// <summary>
    /// The sums over what came before and, after it, <paramref name="count"/> words whose own sums are given.
    /// </summary>
    private static Fletcher4 Concatenate(in Fletcher4 before, Sums<ulong> words, ulong count)
    {
        // The terms of above for k = count. A span has less than 2^29 words, so the second fits into 64 bits; the third
        // is needed modulo 2^64 only, and is exact if the factor that 3 divides is divided first.
        var second = count * (count + 1) / 2;
        unchecked
        {
            var third = second % 3 == 0 ? second / 3 * (count + 2) : second * ((count + 2) / 3);
            return new Fletcher4(
                before.A + words.A,
                before.B + count * before.A + words.B,
                before.C + count * before.B + second * before.A + words.C,
                before.D + count * before.C + second * before.B + third * before.A + words.D
            );
        }
    }

    private readonly record struct Sums<T>(T A, T B, T C, T D);

    /// <summary>
    /// A vector of 64-bit lanes. The runtime's own types have these operators, but no interface that says so.
    /// </summary>
    private interface ILanes<T>
        : IAdditionOperators<T, T, T>,
            ISubtractionOperators<T, T, T>,
            IShiftOperators<T, int, T>
        where T : ILanes<T>
    {
        /// <summary>
        /// Combines the lanes: the words of the lower half and those of the upper half alternate.
        /// </summary>
        static abstract Sums<ulong> Gather(Sums<T> sums);
    }

    private readonly struct Lanes128(Vector128<ulong> lanes) : ILanes<Lanes128>
    {
        private readonly Vector128<ulong> _lanes = lanes;

        public static Lanes128 operator +(Lanes128 left, Lanes128 right) => new(left._lanes + right._lanes);

        public static Lanes128 operator -(Lanes128 left, Lanes128 right) => new(left._lanes - right._lanes);

        public static Lanes128 operator <<(Lanes128 value, int shiftAmount) => new(value._lanes << shiftAmount);

        public static Lanes128 operator >>(Lanes128 value, int shiftAmount) => new(value._lanes >> shiftAmount);

        public static Lanes128 operator >>>(Lanes128 value, int shiftAmount) => new(value._lanes >>> shiftAmount);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Sums<ulong> Gather(Sums<Lanes128> sums) =>
            Alternate(
                new Sums<ulong>(sums.A._lanes[0], sums.B._lanes[0], sums.C._lanes[0], sums.D._lanes[0]),
                new Sums<ulong>(sums.A._lanes[1], sums.B._lanes[1], sums.C._lanes[1], sums.D._lanes[1])
            );
    }

    private readonly struct Lanes256(Vector256<ulong> lanes) : ILanes<Lanes256>
    {
        private readonly Vector256<ulong> _lanes = lanes;

        private Lanes128 Lower => new(_lanes.GetLower());

        private Lanes128 Upper => new(_lanes.GetUpper());

        public static Lanes256 operator +(Lanes256 left, Lanes256 right) => new(left._lanes + right._lanes);

        public static Lanes256 operator -(Lanes256 left, Lanes256 right) => new(left._lanes - right._lanes);

        public static Lanes256 operator <<(Lanes256 value, int shiftAmount) => new(value._lanes << shiftAmount);

        public static Lanes256 operator >>(Lanes256 value, int shiftAmount) => new(value._lanes >> shiftAmount);

        public static Lanes256 operator >>>(Lanes256 value, int shiftAmount) => new(value._lanes >>> shiftAmount);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Sums<ulong> Gather(Sums<Lanes256> sums) =>
            Lanes128.Gather(
                Alternate(
                    new Sums<Lanes128>(sums.A.Lower, sums.B.Lower, sums.C.Lower, sums.D.Lower),
                    new Sums<Lanes128>(sums.A.Upper, sums.B.Upper, sums.C.Upper, sums.D.Upper)
                )
            );
    }

    private readonly struct Lanes512(Vector512<ulong> lanes) : ILanes<Lanes512>
    {
        private readonly Vector512<ulong> _lanes = lanes;

        private Lanes256 Lower => new(_lanes.GetLower());

        private Lanes256 Upper => new(_lanes.GetUpper());

        public static Lanes512 operator +(Lanes512 left, Lanes512 right) => new(left._lanes + right._lanes);

        public static Lanes512 operator -(Lanes512 left, Lanes512 right) => new(left._lanes - right._lanes);

        public static Lanes512 operator <<(Lanes512 value, int shiftAmount) => new(value._lanes << shiftAmount);

        public static Lanes512 operator >>(Lanes512 value, int shiftAmount) => new(value._lanes >> shiftAmount);

        public static Lanes512 operator >>>(Lanes512 value, int shiftAmount) => new(value._lanes >>> shiftAmount);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Sums<ulong> Gather(Sums<Lanes512> sums) =>
            Lanes256.Gather(
                Alternate(
                    new Sums<Lanes256>(sums.A.Lower, sums.B.Lower, sums.C.Lower, sums.D.Lower),
                    new Sums<Lanes256>(sums.A.Upper, sums.B.Upper, sums.C.Upper, sums.D.Upper)
                )
            );
    }
}
