using System.Text;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Writing;
using ZfsSnapshotManager.ZfsStandIn.State;

namespace ZfsSnapshotManager.ZfsStandIn.Streams;

/// <summary>The send stream of a snapshot, full or incremental, whole or from where it was interrupted.</summary>
/// <param name="Name">Full name of the snapshot.</param>
/// <param name="IsVolume">Whether it is a volume's.</param>
/// <param name="Snapshot">What is sent.</param>
/// <param name="BaseGuid">GUID of what an incremental starts from; 0 for a full one.</param>
/// <param name="Base">What it starts from holds.</param>
/// <param name="Features">Features that the flags ask for.</param>
internal sealed record OutgoingStream(
    string Name,
    bool IsVolume,
    Snapshot Snapshot,
    ulong BaseGuid,
    Contents Base,
    StreamFeatures Features
)
{
    /// <summary>An object number at which a resumed stream begins; 0: it is a whole stream.</summary>
    public ulong FromObject { get; init; }

    /// <summary>And the offset in that object.</summary>
    public ulong FromOffset { get; init; }

    private bool IsRaw => Features.HasFlag(StreamFeatures.Raw);

    /// <summary>Bytes of the whole stream.</summary>
    public long EstimateSize()
    {
        var counter = new CountingOutput();
        WriteTo(counter, makeBlocks: false);
        return counter.Count;
    }

    /// <param name="output">Where it goes.</param>
    /// <param name="makeBlocks">False where only its length matters.</param>
    public void WriteTo(IStreamOutput output, bool makeBlocks = true)
    {
        var writer = new SendStreamWriter(output);
        var fields = new RecordFields(Snapshot.Guid, IsVolume, IsRaw);
        WriteBegin(writer, fields);
        ulong? range = null;
        if (BaseGuid == 0 && FromObject == 0)
        {
            range = WriteRange(writer, fields, 0, range);
            writer.WriteHeader(fields.FreeObjects(0, 1));
        }

        var block = new byte[Block.Largest];
        foreach (var number in Numbers())
        {
            range = WriteRange(writer, fields, number, range);
            var file = Snapshot.Contents.Find(number);
            if (file is null)
                WriteRemoved(writer, fields, number);
            else
                WriteFile(writer, fields, file, makeBlocks ? block : null, output);
        }

        writer.WriteHeader(fields.End());
        output.Flush();
    }

    private IEnumerable<ulong> Numbers() =>
        Base.Files.Concat(Snapshot.Contents.Files).Select(file => file.Number).Distinct().Order();

    /// <summary>A resumed stream says where it begins (module/zfs/dmu_send.c, setup_resume_points).</summary>
    private void WriteBegin(SendStreamWriter writer, RecordFields fields)
    {
        List<NvPair> pairs = [];
        var features = Features;
        if (FromObject > 0)
        {
            pairs.AddRange([NvPair.Of("resume_object", FromObject), NvPair.Of("resume_offset", FromOffset)]);
            features |= StreamFeatures.Resuming;
        }

        // Real ZFS says there how the dataset's key is wrapped.
        if (IsRaw)
        {
            NvPair[] key = [NvPair.Of("DSL_CRYPTO_GUID", Snapshot.Guid), NvPair.Of("to_ivset_guid", Snapshot.Guid)];
            var from = BaseGuid == 0 ? [] : new[] { NvPair.Of("from_ivset_guid", BaseGuid) };
            pairs.Add(NvPair.Of("crypt_keydata", new NvList([.. key, .. from])));
        }

        var payload = pairs.Count == 0 ? [] : new NvList(pairs).Pack();
        writer.WriteHeader(fields.Begin(this, features, payload.Length));
        writer.WritePayload(payload);
    }

    /// <summary>Before the objects of a raw stream that are in one block of dnodes, their range is sent.</summary>
    /// <param name="number">The next object.</param>
    /// <param name="range">The first object of the last range; null before the first.</param>
    private ulong? WriteRange(SendStreamWriter writer, RecordFields fields, ulong number, ulong? range)
    {
        var first = number / RecordFields.SlotsOfRange * RecordFields.SlotsOfRange;
        if (!IsRaw || first == range || number < FromObject)
            return range;
        writer.WriteHeader(fields.ObjectRange(first));
        return first;
    }

    private void WriteRemoved(SendStreamWriter writer, RecordFields fields, ulong number)
    {
        if (number > FromObject)
            writer.WriteHeader(fields.FreeObjects(number, 1));
    }

    /// <summary>What of a file has changed; of the one at which a resumed stream begins, its head again.</summary>
    private void WriteFile(
        SendStreamWriter writer,
        RecordFields fields,
        StoredFile file,
        byte[]? block,
        IStreamOutput output
    )
    {
        var old = Base.Find(file.Number);
        if (file.Number < FromObject || IsSame(old, file))
            return;
        var name = Encoding.UTF8.GetBytes(file.Name);
        writer.WriteHeader(fields.Object(file.Number, file.BlockSize, name.Length));
        writer.WritePayload([.. name, .. new byte[-name.Length & 7]]);
        writer.WriteHeader(fields.FreeRest(file.Number, (ulong)(file.Blocks * file.BlockSize)));
        ulong[] before = old is not null && old.BlockSize == file.BlockSize ? [.. old.Seeds()] : [];
        var index = 0L;
        foreach (var seed in file.Seeds())
        {
            var offset = (ulong)(index * file.BlockSize);
            var isUnchanged = index < before.Length && before[index] == seed;
            if (!isUnchanged && (file.Number > FromObject || offset >= FromOffset))
            {
                if (block is not null && index == file.DamagedBlock)
                    throw new UnreadableBlockException();
                writer.WriteHeader(fields.Write(file.Number, offset, file.BlockSize));
                WriteBlock(writer, file.BlockSize, seed, index, block);
                output.FlushIfFull();
            }

            index++;
        }
    }

    private static void WriteBlock(SendStreamWriter writer, int size, ulong seed, long index, byte[]? block)
    {
        if (block is not null)
            Block.Fill(block.AsSpan(0, size), seed, index);
        writer.WritePayload((block ?? EmptyBlock).AsSpan(0, size));
    }

    private static byte[] EmptyBlock { get; } = new byte[Block.Largest];

    private static bool IsSame(StoredFile? old, StoredFile file) =>
        old is not null
        && old.Name == file.Name
        && old.BlockSize == file.BlockSize
        && old.Runs.SequenceEqual(file.Runs);
}

/// <summary>The disk cannot read a block that is to be sent: EIO.</summary>
internal sealed class UnreadableBlockException : Exception;
