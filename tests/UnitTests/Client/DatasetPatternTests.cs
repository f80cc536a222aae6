using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.UnitTests.Client;

public sealed class DatasetPatternTests
{
    [Theory]
    [InlineData("tank/scratch", "tank/scratch", true)]
    [InlineData("tank/scratch", "tank/scratch/deep/down", true)]
    [InlineData("tank/scratch", "tank/scratch2", false)]
    [InlineData("tank/scratch", "tank", false)]
    [InlineData("tank/*/tmp", "tank/ann/tmp", true)]
    [InlineData("tank/*/tmp", "tank/ann/deep/tmp", false)]
    [InlineData("tank/tmp-?", "tank/tmp-1", true)]
    [InlineData("tank/tmp-?", "tank/tmp-10", false)]
    [InlineData("Tank/data", "tank/data", false)]
    public void A_pattern_excludes_the_datasets_it_names_and_all_below_them(
        string pattern,
        string dataset,
        bool matches
    ) => Assert.Equal(matches, DatasetPattern.Parse(pattern).Matches(dataset));

    [Theory]
    [InlineData("")]
    [InlineData("tank//x")]
    [InlineData("tank/@x")]
    [InlineData("tank/[a]")]
    public void Names_that_no_dataset_can_have_are_refused(string pattern) =>
        Assert.Throws<FormatException>(() => DatasetPattern.Parse(pattern));
}
