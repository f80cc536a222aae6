using ZfsSnapshotManager.Client.Pipeline;

namespace ZfsSnapshotManager.UnitTests.Client.Pipeline;

public sealed class MemoryBudgetTests
{
    private const int Mebibyte = 1 << 20;

    [Theory]
    [InlineData(4, 8, 16 * Mebibyte, 4)]
    [InlineData(4, 2, 16 * Mebibyte, 2)]
    [InlineData(4, -5, 16 * Mebibyte, 1)]
    [InlineData(16, int.MaxValue, 100 * Mebibyte, 9)]
    [InlineData(16, 16, 512 * Mebibyte, 1)]
    public void Large_parts_are_sent_one_by_one(int wanted, int accepted, int partSize, int parts) =>
        Assert.Equal(parts, MemoryBudget.ChooseParallelParts(wanted, accepted, partSize));
}
