using CsCheck;

namespace ZfsSnapshotManager.UnitTests.RandomTests;

public sealed class RandomTestTests
{
    [Theory]
    [InlineData(null, null)]
    [InlineData("", null)]
    [InlineData("1", "1/1")]
    [InlineData("yes", "1/1")]
    [InlineData("1/1", "1/1")]
    [InlineData("2/3", "2/3")]
    public void A_soak_is_whole_or_a_share(string? text, string? share)
    {
        var parsed = RandomTest.ShareOf(text);
        Assert.Equal(share, parsed is { } part ? $"{part.Number}/{part.Of}" : null);
    }

    [Theory]
    [InlineData("0/3")]
    [InlineData("4/3")]
    [InlineData("1/0")]
    [InlineData("1/2/3")]
    [InlineData("/")]
    [InlineData("a/b")]
    [InlineData("-1/3")]
    public void A_share_that_does_not_exist_is_refused(string text) =>
        Assert.Throws<FormatException>(() => RandomTest.ShareOf(text));

    [Fact]
    public void Without_a_soak_there_are_few_draws() => Assert.Equal((0, 5), RandomTest.Extent(5, 100, null));

    [Theory]
    [InlineData(100, 1)]
    [InlineData(100, 3)]
    [InlineData(7, 9)]
    [InlineData(2_000_000_000, 7)]
    public void The_shares_of_a_soak_join_to_the_whole_without_overlap(int many, int of)
    {
        var shares = Enumerable.Range(1, of).Select(number => RandomTest.Extent(5, many, (number, of))).ToArray();

        Assert.Equal((0, many), (shares[0].First, shares[^1].End));
        Assert.All(shares.Zip(shares.Skip(1)), pair => Assert.Equal(pair.First.End, pair.Second.First));
    }

    [Fact]
    public void A_draw_is_repeated_by_the_seed_that_it_names()
    {
        var draws = RandomTest.Draws(3, 3).ToArray();

        Assert.Equal($"ZSM_SEED={draws[^1].Seed}", draws[^1].ToString());
        Assert.Equal(draws[^1].Random.Next(), new Draw(draws[^1].Seed).Random.Next());
    }

    [Fact]
    public void A_generated_failure_names_its_seed_and_the_smallest_value()
    {
        var failure = Assert.Throws<InvalidOperationException>(() =>
            Gen.Int[0, 1000].CheckDraws(value => Assert.InRange(value, 0, 9))
        );

        Assert.Matches(@"^ZSM_SEED=-?\d+: .*\b1\d\b", failure.Message.ReplaceLineEndings(" "));
    }
}
