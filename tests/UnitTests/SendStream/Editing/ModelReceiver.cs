using System.Security.Cryptography;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Records;

namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>
/// What <c>zfs receive</c> does with the records of streams that are not raw, on objects in memory. Written from
/// OpenZFS module/zfs/dmu_recv.c (receive_object, receive_handle_existing_object, receive_freeobjects, receive_free,
/// receive_spill, receive_process_write_record), not from the library under test.
/// </summary>
internal sealed class ModelReceiver
{
    public SortedDictionary<ulong, ModelObject> Objects { get; } = [];

    /// <summary>Which OBJECT records free the blocks that their objects had.</summary>
    public BlockRelease Release { get; init; }

    /// <summary>
    /// Whether it counts the block pointers of an OBJECT as if it had one slot, as OpenZFS before ffde77051c (July
    /// 2026): it frees blocks of large dnodes that the stream does not repeat.
    /// </summary>
    public bool AssumesOneSlot { get; init; }

    /// <summary>Receives a complete stream.</summary>
    /// <exception cref="ModelRefusal">zfs receive would refuse it.</exception>
    public void Receive(byte[] stream)
    {
        using var reader = new SendStreamReader(new MemoryStream(stream));
        while (reader.ReadRecord())
        {
            var header = reader.Current.Raw.ToArray();
            List<byte> payload = [];
            while (reader.ReadPayload() is { IsEmpty: false } slice)
                payload.AddRange(slice.Span);
            Take(new RecordHeader(header), [.. payload]);
        }
    }

    /// <summary>The complete state, so that two receivers can be compared and their difference read.</summary>
    public override string ToString() => string.Join('\n', Objects.Select(pair => $"{pair.Key}: {pair.Value}"));

    private void Take(RecordHeader header, byte[] payload)
    {
        switch (header.Type)
        {
            case RecordType.Object:
                TakeObject(header.AsObject(), payload);
                break;
            case RecordType.FreeObjects:
                FreeObjects(header.AsFreeObjects().FirstObject, header.AsFreeObjects().ObjectCount);
                break;
            case RecordType.Write:
                Write(header.AsWrite().Object, header.AsWrite().Offset, header.AsWrite().LogicalSize, payload);
                break;
            case RecordType.WriteEmbedded:
                Write(
                    header.AsWriteEmbedded().Object,
                    header.AsWriteEmbedded().Offset,
                    header.AsWriteEmbedded().Length,
                    payload
                );
                break;
            case RecordType.Free:
                Get(header.AsFree().Object).Free(header.AsFree().Offset, header.AsFree().Length);
                break;
            case RecordType.Spill when !header.AsSpill().IsUnmodified:
                Get(header.AsSpill().Object).Spill = payload;
                break;
            default:
                break;
        }
    }

    private void TakeObject(ObjectRecord record, byte[] bonus)
    {
        var number = record.Object;
        var slots = (ulong)Math.Max(record.DnodeSlots, (byte)1);
        if (Objects.Any(pair => pair.Key < number && number < pair.Key + pair.Value.Slots))
            throw new ModelRefusal($"object {number} is an interior slot");
        for (var slot = number + 1; slot < number + slots; slot++)
            _ = Objects.Remove(slot);

        if (!Objects.TryGetValue(number, out var item))
            item = Objects[number] = new ModelObject();
        var pointers = ModelObject.CountBlockPointers(record.BonusType, record.BonusLength, slots);
        var deduced = ModelObject.CountBlockPointers(record.BonusType, record.BonusLength, AssumesOneSlot ? 1 : slots);
        var isRecreated = item.Slots != slots || item.BlockSize != record.BlockSize || deduced < item.BlockPointers;
        if (Release == BlockRelease.Always || (Release == BlockRelease.AsZfs && isRecreated))
            item.Blocks.Clear();
        if (!record.HasSpill || item.Slots != slots)
            item.Spill = null;
        (item.Slots, item.BlockSize, item.BlockPointers) = (slots, record.BlockSize, pointers);
        item.Dnode = $"{record.ObjectType} {record.BonusType} {record.CompressionType} {ModelObject.Digest(bonus)}";
    }

    private void FreeObjects(ulong first, ulong count)
    {
        if (Objects.Any(pair => pair.Key < first && first < pair.Key + pair.Value.Slots))
            throw new ModelRefusal($"{first} is an interior slot");
        foreach (var number in Objects.Keys.Where(number => number >= first && number - first < count).ToList())
            _ = Objects.Remove(number);
    }

    private void Write(ulong number, ulong offset, ulong size, byte[] payload)
    {
        var block = Get(number);
        if (size != block.BlockSize || offset % size != 0)
            throw new ModelRefusal($"a block of {size} at {offset} in an object of {block.BlockSize}");
        block.Free(offset, size);
        block.Blocks[offset] = ModelObject.Digest(payload);
    }

    private ModelObject Get(ulong number) =>
        Objects.GetValueOrDefault(number) ?? throw new ModelRefusal($"there is no object {number}");
}

/// <summary>Which OBJECT records free the blocks that their objects had.</summary>
internal enum BlockRelease
{
    /// <summary>Those that only a recreated object can have.</summary>
    AsZfs = 0,

    /// <summary>None: all is freed by other records.</summary>
    Never,

    /// <summary>All: only the newest stream's blocks of an object remain.</summary>
    Always,
}

/// <summary>An object of a <see cref="ModelReceiver"/>.</summary>
internal sealed class ModelObject
{
    public string Dnode { get; set; } = "";

    public ulong Slots { get; set; }

    public ulong BlockSize { get; set; }

    public int BlockPointers { get; set; }

    public byte[]? Spill { get; set; }

    public SortedDictionary<ulong, string> Blocks { get; } = [];

    /// <summary>
    /// OpenZFS module/zfs/dnode.c, dnode_allocate; dmu_recv.c, deduce_nblkptr, as corrected by ffde77051c.
    /// </summary>
    public static int CountBlockPointers(DmuObjectType bonusType, uint bonusLength, ulong slots)
    {
        if (bonusType == DmuObjectType.SystemAttributes)
            return 1;
        var room = (int)slots * 512 - 192;
        return Math.Min(3, 1 + (room - Math.Min(room, (int)bonusLength)) / 128);
    }

    public static string Digest(byte[] bytes) => Convert.ToHexString(SHA256.HashData(bytes).AsSpan(0, 4));

    public void Free(ulong offset, ulong length)
    {
        foreach (var block in Blocks.Keys.Where(block => block >= offset && block - offset < length).ToList())
            _ = Blocks.Remove(block);
    }

    public override string ToString() =>
        $"{Dnode} slots {Slots} block {BlockSize} pointers {BlockPointers} spill "
        + $"{Digest(Spill ?? [])}{string.Concat(Blocks.Select(block => $"\n  {block.Key} {block.Value}"))}";
}

/// <summary>A stream that zfs receive would refuse.</summary>
internal sealed class ModelRefusal(string message) : Exception(message);
