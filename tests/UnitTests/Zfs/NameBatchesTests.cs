using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class NameBatchesTests
{
    [Fact]
    public void Names_are_split_so_that_each_part_fits_and_none_is_lost()
    {
        string[] names = [.. Enumerable.Range(0, 10_000).Select(number => $"tank/{number:D5}{new string('x', 100)}")];

        var batches = NameBatches.Split(names, NameBatches.OneArgument).ToList();

        Assert.Equal(names, batches.SelectMany(batch => batch));
        Assert.InRange(batches.Count, 10, 15);
        // With quotes and options it must stay below MAX_ARG_STRLEN.
        Assert.All(batches, batch => Assert.InRange(batch.Sum(name => name.Length + 3), 1, 100 * 1024));
    }

    [Fact]
    public void A_name_that_is_longer_than_the_limit_is_a_part_of_its_own() =>
        Assert.Equal(
            [
                ["aaaa"],
                ["bbbb"],
            ],
            NameBatches.Split(["aaaa", "bbbb"], limit: 3)
        );

    [Fact]
    public void Without_names_there_is_no_part() => Assert.Empty(NameBatches.Split([], NameBatches.OneArgument));
}
