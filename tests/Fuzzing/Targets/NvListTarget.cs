using ZfsSnapshotManager.SendStream.NvLists;

namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>
/// A packed list, native or XDR: an unpacked list can be packed into the same list, or is refused as documented.
/// </summary>
internal static class NvListTarget
{
    public static bool Run(ReadOnlySpan<byte> input)
    {
        var packed = Limits.Shortened(input).ToArray();
        var list = Limits.Bounded(packed.Length, () => Unpacked(packed));
        if (list is null)
            return false;
        LookUp(list, depth: 0);
        var again = Limits.Bounded(packed.Length, () => Packed(list));
        if (again is null)
            return true;
        FuzzFinding.Unless(
            again.Length <= packed.Length * 3, // a string in an array: 4 bytes in XDR, 9 in the native encoding
            $"a list of {packed.Length} bytes becomes one of {again.Length}"
        );
        var second = NvList.Unpack(again);
        FuzzFinding.Unless(Text(second, 0) == Text(list, 0), "a list is another one when it was packed and unpacked");
        FuzzFinding.Unless(second.Pack().AsSpan().SequenceEqual(again), "a list is packed differently the second time");
        return true;
    }

    private static NvList? Unpacked(byte[] packed)
    {
        try
        {
            return NvList.Unpack(packed);
        }
        catch (FormatException refusal)
        {
            _ = Limits.Short(refusal);
            return null;
        }
    }

    private static byte[]? Packed(NvList list)
    {
        try
        {
            return list.Pack();
        }
        catch (InvalidOperationException refusal)
        {
            _ = Limits.Short(refusal);
            return null;
        }
    }

    private static void LookUp(NvList list, int depth)
    {
        FuzzFinding.Unless(depth <= NvList.MaxDepth, "a list is nested too deep");
        foreach (var pair in list.Pairs.Take(10))
        {
            FuzzFinding.Unless(list.Contains(pair.Name), "a pair is not found by its name");
            _ = (list.GetUInt64(pair.Name), list.GetString(pair.Name), list.GetList(pair.Name));
            _ = (list.GetFlag(pair.Name), list.GetBytes(pair.Name), list.GetUInt64Array(pair.Name));
            _ = (pair.TryGetInt64(out var number), number);
            FuzzFinding.Unless(!list.Without(pair.Name).Contains(pair.Name), "a pair is there that was taken out");
            if (WithNumber(list, pair.Name) is { } changed)
                FuzzFinding.Unless(changed.GetUInt64(pair.Name) == 7, "a pair is not there that was put in");
            foreach (var inner in pair.Lists)
                LookUp(inner, depth + 1);
        }
    }

    /// <summary>The list with another value; null if the name, as it was read, cannot be stored.</summary>
    private static NvList? WithNumber(NvList list, string name)
    {
        try
        {
            return list.With(NvPair.Of(name, 7));
        }
        catch (ArgumentException refusal)
        {
            _ = Limits.Short(refusal);
            return null;
        }
    }

    /// <summary>All of a list. Bytes of values that are not taken apart are padded, as packing does.</summary>
    private static string Text(NvList list, int depth) =>
        $"{list.Flags}[{string.Join(',', list.Pairs.Select(pair => Text(pair, depth)))}]";

    private static string Text(NvPair pair, int depth) =>
        $"{pair.Name}:{pair.Type}={pair.Count} {Convert.ToHexString(pair.Bytes.Span)}"
        + new string('0', 2 * (-pair.Bytes.Length & 7))
        + string.Join(';', pair.Lists.Select(inner => Text(inner, depth + 1)));
}
