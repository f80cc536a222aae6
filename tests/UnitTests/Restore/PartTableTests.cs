using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class PartTableTests
{
    private const string Key = "web1/tank_data_1970-01-01_00:00:00.zfs";

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5000, 1)]
    [InlineData(PartGroups.Max - 1, 1)]
    [InlineData(PartGroups.Max, 2)]
    [InlineData(PartGroups.Max + 3, 2)]
    [InlineData((PartGroups.Max * 4) + 1, 8)]
    public void All_parts_are_listed_with_their_places(int count, int groupSize)
    {
        var table = Make(count);
        var (offset, objectStart, number) = (0L, 0L, 0);
        foreach (var part in table.AllParts())
        {
            if (number % 10_000 == 0)
                objectStart = offset;
            Assert.Equal(StoredObject.KeyOf(Key, number / 10_000), part.Key);
            Assert.Equal(offset, part.Offset);
            Assert.Equal(SizeOf(number), part.Size);
            Assert.Equal(BinaryPrimitives.ReadUInt64BigEndian(DigestOf(number)), part.DigestStart);
            Assert.Equal((number + 1) % groupSize == 0 || number == count - 1, part.GroupDigest is not null);
            Assert.Equal(offset - objectStart, part.KeyOffset);
            offset += part.Size;
            number++;
        }

        Assert.Equal(count, number);
        Assert.Equal(offset, table.Bytes);
        Assert.Equal(groupSize, table.GroupSize);
        Assert.Equal((count + groupSize - 1) / groupSize, table.GroupCount);
    }

    [Fact]
    public void The_parts_of_groups_are_those_of_the_whole_list()
    {
        var table = Make((PartGroups.Max * 2) + 5);
        var all = table.AllParts().ToList();

        foreach (
            var (first, last) in ((int, int)[])
                [(0, 0), (1, 1), (4095, 4097), (table.GroupCount - 1, table.GroupCount - 1)]
        )
        {
            var expected = all.Skip(first * table.GroupSize).Take((last - first + 1) * table.GroupSize).ToList();
            var listed = table.PartsOf(first, last).ToList();
            Assert.Equal(expected.Select(part => part.Offset), listed.Select(part => part.Offset));
            Assert.Equal(expected.Select(part => part.KeyOffset), listed.Select(part => part.KeyOffset));
            Assert.Equal(table.OffsetOfGroup(first), expected[0].Offset);
            Assert.Equal(table.OffsetOfGroup(last + 1), expected[^1].Offset + expected[^1].Size);
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(PartGroups.Max + 3)]
    [InlineData((PartGroups.Max * 2) + 6)]
    public void The_digest_of_a_group_is_that_of_its_parts(int count)
    {
        var table = Make(count);
        var tree = new DigestTree();
        foreach (var (number, part) in table.AllParts().Index())
        {
            tree.Add(DigestOf(number));
            if (part.GroupDigest is not null)
                Assert.Equal(tree.Finish(), part.GroupDigest);
        }

        Assert.True(tree.IsEmpty);
    }

    /// <summary>A resumed restore enters the stream at the same places, whether each part has a state or not.</summary>
    [Theory]
    [InlineData(5)]
    [InlineData(PartGroups.Max + 3)]
    [InlineData((PartGroups.Max * 4) + 1)]
    public void States_after_groups_say_as_much_as_states_after_parts(int count)
    {
        var group = PartGroups.SizeFor(count);

        var (each, some) = (Make(count, StateOf), Make(count, number => IsKept(number) ? StateOf(number) : null));
        var lacking = Make(count, number => IsKept(number) && number != group - 1 ? StateOf(number) : null);

        Assert.True(each.HasStates && some.HasStates);
        Assert.False(lacking.HasStates);
        Assert.Equal(group, some.GroupSize);
        for (var index = 0; index < some.GroupCount; index++)
        {
            var last = Math.Min((index + 1) * group, count);
            Assert.Equal(last * 1000L, some.StateAfterGroup(index).StreamOffset);
            Assert.Equal(each.StateAfterGroup(index), some.StateAfterGroup(index));
        }

        bool IsKept(int number) => (number + 1) % group == 0 || number == count - 1;

        string StateOf(int number) =>
            $"{(number == count - 1 ? 5 : 1)},{(number + 1) * 1000L},7,1,2,3,4,108,0,,108,5,0,108,0,0,1";
    }

    [Fact]
    public void A_part_without_a_digest_is_refused() =>
        Assert.Throws<JsonException>(() => new PartTable(Key).Add(0, new StoredPart { Size = 1, Sha256 = null }));

    private static PartTable Make(int count, Func<int, string?>? stateOf = null)
    {
        var table = new PartTable(Key);
        for (var number = 0; number < count; number++)
            table.Add(
                number / 10_000,
                new StoredPart
                {
                    Size = SizeOf(number),
                    Sha256 = Convert.ToHexStringLower(DigestOf(number)),
                    State = stateOf?.Invoke(number),
                }
            );
        table.Complete();
        return table;
    }

    private static int SizeOf(int number) => 1000 + (number % 7);

    private static byte[] DigestOf(int number) => SHA256.HashData(BitConverter.GetBytes(number));
}
