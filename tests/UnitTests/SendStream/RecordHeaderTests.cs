using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// The layout of each record type, by OpenZFS include/sys/zfs_ioctl.h. The fields' bytes count 0, 1, 2 …, so that
/// each value shows where it was read.
/// </summary>
public sealed class RecordHeaderTests
{
    private static readonly byte[] Fields = [.. Enumerable.Range(0, 304).Select(i => (byte)i)];

    [Fact]
    public void Write_is_read_from_its_offsets()
    {
        var write = Header(RecordType.Write).AsWrite();
        AssertRead(
            [Long(0), Int(8), Long(16), Long(24)],
            [write.Object, (ulong)write.ObjectType, write.Offset, write.LogicalSize]
        );
        AssertRead(
            [Long(32), 40, 41, 42],
            [write.SnapshotGuid, (ulong)write.ChecksumType, write.Flags, (ulong)write.CompressionType]
        );
        Assert.Equal(Long(88), write.CompressedSize);
        AssertRead([96, 104, 116], [write.Salt[0], write.InitializationVector[0], write.MessageAuthenticationCode[0]]);
        Assert.Equal(
            (8, 12, 16),
            (write.Salt.Length, write.InitializationVector.Length, write.MessageAuthenticationCode.Length)
        );
        Assert.Equal(write.CompressedSize, write.StoredSize);
    }

    [Fact]
    public void Object_is_read_from_its_offsets()
    {
        var one = Header(RecordType.Object).AsObject();
        AssertRead([Long(0), Int(8), Int(12)], [one.Object, (ulong)one.ObjectType, (ulong)one.BonusType]);
        AssertRead([Int(16), Int(20)], [one.BlockSize, one.BonusLength]);
        AssertRead([24, 25, 26, 27], [(ulong)one.ChecksumType, (ulong)one.CompressionType, one.DnodeSlots, one.Flags]);
        AssertRead([Int(28), Long(32)], [one.RawBonusLength, one.SnapshotGuid]);
        AssertRead([40, 41, 42], [one.IndirectBlockShift, one.Levels, one.BlockPointers]);
        Assert.Equal(Long(48), one.MaxBlockId);
        Assert.Equal(one.RawBonusLength, one.PayloadLength);
    }

    [Fact]
    public void Spill_is_read_from_its_offsets()
    {
        var spill = Header(RecordType.Spill).AsSpill();
        AssertRead(
            [Long(0), Long(8), Long(16), 24, 25],
            [spill.Object, spill.Length, spill.SnapshotGuid, spill.Flags, (ulong)spill.CompressionType]
        );
        AssertRead([Long(32), Int(76)], [spill.CompressedSize, (ulong)spill.ObjectType]);
        AssertRead([40, 48, 60], [spill.Salt[0], spill.InitializationVector[0], spill.MessageAuthenticationCode[0]]);
    }

    [Fact]
    public void Embedded_write_is_read_from_its_offsets()
    {
        var write = Header(RecordType.WriteEmbedded).AsWriteEmbedded();
        AssertRead(
            [Long(0), Long(8), Long(16), Long(24)],
            [write.Object, write.Offset, write.Length, write.SnapshotGuid]
        );
        AssertRead(
            [32, 33, Int(40), Int(44)],
            [(ulong)write.CompressionType, write.EmbeddedType, write.LogicalSize, write.PhysicalSize]
        );
    }

    [Fact]
    public void Write_by_reference_is_read_from_its_offsets()
    {
        var write = Header(RecordType.WriteByRef).AsWriteByRef();
        AssertRead(
            [Long(0), Long(8), Long(16), Long(24)],
            [write.Object, write.Offset, write.Length, write.SnapshotGuid]
        );
        AssertRead([Long(32), Long(40), Long(48)], [write.SourceGuid, write.SourceObject, write.SourceOffset]);
        AssertRead([56, 57], [(ulong)write.ChecksumType, write.Flags]);
    }

    [Fact]
    public void Ranges_are_read_from_their_offsets()
    {
        var free = Header(RecordType.Free).AsFree();
        AssertRead([Long(0), Long(8), Long(16), Long(24)], [free.Object, free.Offset, free.Length, free.SnapshotGuid]);
        var redact = Header(RecordType.Redact).AsRedact();
        AssertRead(
            [Long(0), Long(8), Long(16), Long(24)],
            [redact.Object, redact.Offset, redact.Length, redact.SnapshotGuid]
        );
        var objects = Header(RecordType.FreeObjects).AsFreeObjects();
        AssertRead([Long(0), Long(8), Long(16)], [objects.FirstObject, objects.ObjectCount, objects.SnapshotGuid]);
        var range = Header(RecordType.ObjectRange).AsObjectRange();
        AssertRead(
            [Long(0), Long(8), Long(16), 60],
            [range.FirstObject, range.SlotCount, range.SnapshotGuid, range.Flags]
        );
        AssertRead([24, 32, 44], [range.Salt[0], range.InitializationVector[0], range.MessageAuthenticationCode[0]]);
    }

    [Fact]
    public void Begin_and_end_are_read_from_their_offsets()
    {
        var begin = Header(RecordType.Begin).AsBegin();
        AssertRead([Long(0), Long(8), Long(16)], [begin.Magic, begin.VersionInfo, begin.CreationTime]);
        AssertRead([Int(24), Int(28)], [(ulong)begin.DatasetType, begin.Flags]);
        AssertRead(
            [Long(32), Long(40), 48, 256],
            [begin.SnapshotGuid, begin.BaseGuid, begin.NameField[0], (ulong)begin.NameField.Length]
        );
        var end = Header(RecordType.End);
        AssertRead(
            [Long(0), Long(24), Long(32)],
            [end.AsEnd().Checksum.A, end.AsEnd().Checksum.D, end.AsEnd().SnapshotGuid]
        );
        AssertRead([Long(272), Long(296)], [end.StoredChecksum.A, end.StoredChecksum.D]);
    }

    [Fact]
    public void A_header_is_read_only_as_what_it_is()
    {
        Assert.Throws<InvalidOperationException>(() => Header(RecordType.End).AsWrite());
        Assert.Throws<ArgumentException>(() => new RecordHeader(new byte[311]));
        Assert.Equal(0UL, Header((RecordType)11).SnapshotGuid);
        Assert.Equal(0, Header((RecordType)11).PayloadLength);
    }

    private static RecordHeader Header(RecordType type) =>
        new((byte[])[.. BitConverter.GetBytes((uint)type), .. new byte[4], .. Fields]);

    private static void AssertRead(ulong[] expected, ulong[] read) => Assert.Equal(expected, read);

    private static ulong Long(int offset) => BitConverter.ToUInt64(Fields, offset);

    private static ulong Int(int offset) => BitConverter.ToUInt32(Fields, offset);
}
