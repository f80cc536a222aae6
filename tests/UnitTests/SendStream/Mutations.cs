using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>Damages streams at random.</summary>
internal static class Mutations
{
    /// <summary>Flips, overwrites, removes, repeats or truncates, one to four times.</summary>
    public static byte[] Mutate(byte[] stream, Random random)
    {
        var bytes = stream.ToList();
        for (var times = random.Next(1, 5); times > 0 && bytes.Count > 0; times--)
        {
            var at = random.Next(bytes.Count);
            var length = Math.Min(bytes.Count - at, random.Next(1, 400));
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] ^= (byte)random.Next(1, 256);
                    break;
                case 1:
                    bytes[at] = (byte)(random.Next(2) * 255);
                    break;
                case 2:
                    bytes.RemoveRange(at, length);
                    break;
                case 3:
                    bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length));
                    break;
                case 4:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                default:
                    // the header of some record: where the lengths are
                    var header = at / 312 * 312;
                    bytes[Math.Min(header + random.Next(0, 112), bytes.Count - 1)] = (byte)random.Next(256);
                    break;
            }
        }

        return [.. bytes];
    }

    /// <summary>Changes one byte of the fields in every fourth record, but not the type.</summary>
    public static byte[] FlipField(byte[] record, Random random)
    {
        var changed = (byte[])record.Clone();
        if (random.Next(4) == 0)
            changed[random.Next(8, 120)] = random.Next(3) switch
            {
                0 => 0,
                1 => 255,
                _ => (byte)random.Next(256),
            };
        return changed;
    }

    /// <summary>Corrects the checksums of the records.</summary>
    public static byte[] Mended(IEnumerable<byte[]> records)
    {
        var sum = new PlainFletcher();
        List<byte> stream = [];
        foreach (var record in records)
        {
            if (record[0] == 5)
                sum.Bytes.CopyTo(record, 8);
            sum.Add(record.AsSpan(0, 280));
            if (record[0] != 0)
                sum.Bytes.CopyTo(record, 280);
            sum.Add(record.AsSpan(280, (record.Length - 280) & ~3));
            stream.AddRange(record);
        }

        return [.. stream];
    }

    /// <summary>Verifies in slices; anything thrown but a <see cref="SendStreamException"/> fails the test.</summary>
    public static void AssertOnlyFaults(byte[] stream, string place)
    {
        try
        {
            Verifying.VerifySliced(stream, 500, new Random(stream.Length));
        }
        catch (SendStreamException)
        {
            // refused, as it may be
        }
        catch (Exception fault)
        {
            Assert.Fail($"{place}: {fault}");
        }
    }
}
