using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>
/// Random chains of streams in the order in which ZFS sends. They have few objects and few blocks, so that records
/// often meet.
/// </summary>
internal sealed class RandomChain(Random random)
{
    private const ulong Numbers = 24;

    private readonly ModelReceiver _origin = new();

    private enum Spill
    {
        None,
        New,
        Kept,
    }

    /// <summary>The streams, oldest first.</summary>
    public List<byte[]> Streams { get; } = [];

    /// <summary>The state after receiving them.</summary>
    public string Expected => _origin.ToString();

    /// <summary>Adds a full stream and some incrementals.</summary>
    public static RandomChain Make(Random random, int length)
    {
        var chain = new RandomChain(random);
        while (chain.Streams.Count < length)
            chain.Add();
        return chain;
    }

    private void Add()
    {
        var guid = (ulong)Streams.Count + 1;
        var stream = new StreamBuilder().Begin(guid, guid - 1, $"tank/data@{guid}");
        for (ulong number = 1; number < Numbers; )
        {
            switch (random.Next(Streams.Count == 0 ? 3 : 5))
            {
                case 0:
                    var count = (ulong)random.Next(1, 5);
                    _ = stream.FreeObjects(number, count);
                    number += count + 1;
                    break;
                case 1 or 2:
                    number += AddObject(stream, number);
                    break;
                default:
                    number++;
                    break;
            }
        }

        var bytes = stream.End().ToArray();
        try
        {
            var tried = new ModelReceiver();
            foreach (var before in Streams)
                tried.Receive(before);
            tried.Receive(bytes);
        }
        catch (ModelRefusal)
        {
            return; // no sender sends this; the caller tries again
        }

        _origin.Receive(bytes);
        Streams.Add(bytes);
    }

    /// <summary>An object with data; returns its slots.</summary>
    private ulong AddObject(StreamBuilder stream, ulong number)
    {
        var old = _origin.Objects.GetValueOrDefault(number);
        var same = old is not null && random.Next(4) != 0;
        var blockSize =
            same && random.Next(6) != 0 ? (uint)old!.BlockSize
            : random.Next(3) == 0 ? 1024u
            : 512u;
        var slots =
            same ? (byte)old!.Slots
            : random.Next(6) == 0 ? (byte)random.Next(2, 4)
            : (byte)1;
        var bonusType = random.Next(8) != 0 ? DmuObjectType.SystemAttributes : DmuObjectType.None;
        // A spill block is removed, changed, or kept; a kept one is sent as unmodified, or, by old senders, not at all.
        var kept = same ? old!.Spill : null;
        var spill = random.Next(4) switch
        {
            0 => Spill.None,
            1 => Spill.New,
            _ => kept is null ? Spill.None : Spill.Kept,
        };
        var bonus = StreamBuilder.Noise(random.Next(4) * 100, random.Next());
        _ = stream.Object(number, bonus, change: fields =>
        {
            StreamBuilder.Put(fields, 12, (uint)bonusType);
            StreamBuilder.Put(fields, 16, blockSize);
            (fields[26], fields[27]) = (slots, (byte)(spill == Spill.None ? 0 : 4));
        });
        var end = (ulong)random.Next(0, 12);
        // As in ZFS, an object that is created again is sent completely, including all its holes
        // (send_holes_without_birth_time, dmu_traverse.c). zfs receive frees the blocks that it had
        // (receive_handle_existing_object, dmu_recv.c).
        var whole =
            old is not null
            && (
                old.BlockSize != blockSize
                || old.Slots != slots
                || ModelObject.CountBlockPointers(bonusType, (uint)bonus.Length, slots) < old.BlockPointers
            );
        if (whole || random.Next(10) != 0)
            _ = stream.Free(number, ulong.MaxValue, end * blockSize);
        if (spill == Spill.Kept && random.Next(4) != 0)
            _ = stream.Spill(number, kept!, fields => fields[24] = 4);
        AddData(stream, number, blockSize, end, whole);
        if (spill == Spill.New)
            _ = stream.Spill(number, StreamBuilder.Noise(512, random.Next()));
        return slots;
    }

    private void AddData(StreamBuilder stream, ulong number, uint blockSize, ulong end, bool whole)
    {
        for (ulong block = 0; block < end; )
        {
            var run = (ulong)random.Next(1, 5);
            switch (random.Next(whole ? 2 : 4))
            {
                case 0:
                    _ = stream.Write(number, block * blockSize, StreamBuilder.Noise((int)blockSize, random.Next()));
                    run = 1;
                    break;
                case 1:
                    var toEnd = random.Next(20) == 0;
                    _ = stream.Free(number, toEnd ? ulong.MaxValue : run * blockSize, block * blockSize);
                    run = toEnd ? end : run;
                    break;
                case 2 when blockSize == 512:
                    _ = stream.WriteEmbedded(number, block * blockSize, StreamBuilder.Noise(8, random.Next()));
                    run = 1;
                    break;
                default:
                    break;
            }

            block += run;
        }
    }
}
