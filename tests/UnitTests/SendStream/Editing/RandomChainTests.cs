namespace ZfsSnapshotManager.UnitTests.SendStream.Editing;

/// <summary>The random chains are such as ZFS sends, and their streams depend on each other.</summary>
public sealed class RandomChainTests
{
    private const int Few = 100;
    private const int Many = 20_000;

    [Fact]
    public void Recreated_objects_are_sent_completely()
    {
        // These seeds drew an object with fewer block pointers whose holes were not sent.
        foreach (var draw in RandomTest.Draws(Few, Many).Prepend(new Draw(73)).Prepend(new Draw(558)))
        {
            var chain = RandomChain.Make(draw.Random, length: draw.Random.Next(3, 9));
            var found = Receive(chain, BlockRelease.Never);
            Assert.True(chain.Expected == found, $"{draw}: expected\n{chain.Expected}\n\nfound\n{found}");
        }
    }

    [Fact]
    public void Many_chains_need_blocks_of_older_streams()
    {
        const int seeds = 200;
        var needed = Enumerable
            .Range(0, seeds)
            .Select(seed => RandomChain.Make(new Random(seed), length: 5))
            .Count(chain => chain.Expected != Receive(chain, BlockRelease.Always));
        Assert.InRange(needed, seeds / 3, seeds);
    }

    private static string Receive(RandomChain chain, BlockRelease release)
    {
        var receiver = new ModelReceiver { Release = release };
        foreach (var stream in chain.Streams)
            receiver.Receive(stream);
        return receiver.ToString();
    }
}
