namespace ZfsSnapshotManager.UnitTests.Fuzzing;

/// <summary>Changes inputs of fuzz targets at random, as fuzzers do.</summary>
internal static class Havoc
{
    private const int MostChanges = 6;
    private const int LongestRun = 24;

    private static readonly byte[] Corners = [0, 1, 0x0f, 0x7f, 0x80, 0xc0, 0xc5, 0xc8, 0xcd, 0xcf, 0xf0, 0xff];

    /// <summary>One of the inputs, changed in a few places; runs of bytes may come from another one.</summary>
    public static byte[] Mutate(IReadOnlyList<byte[]> inputs, Random random)
    {
        var (bytes, other) = (inputs[random.Next(inputs.Count)].ToList(), inputs[random.Next(inputs.Count)]);
        for (var changes = random.Next(1, MostChanges + 1); changes > 0; changes--)
            Change(bytes, other, random);
        return [.. bytes];
    }

    private static void Change(List<byte> bytes, byte[] other, Random random)
    {
        var at = random.Next(bytes.Count + 1);
        var length = Math.Min(bytes.Count - at, random.Next(1, LongestRun));
        switch (random.Next(7))
        {
            case 0 when length > 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when length > 0:
                bytes[at] = Corners[random.Next(Corners.Length)];
                break;
            case 2 when length > 0:
                bytes[at] += (byte)random.Next(-8, 9);
                break;
            case 3:
                bytes.RemoveRange(at, length);
                break;
            case 4:
                bytes.InsertRange(at, bytes.GetRange(at, length));
                break;
            case 5 when other.Length > 0:
                var from = random.Next(other.Length);
                bytes.InsertRange(at, other.AsSpan(from, Math.Min(other.Length - from, random.Next(1, LongestRun))));
                break;
            default:
                bytes.Insert(at, (byte)random.Next(256));
                break;
        }
    }
}
