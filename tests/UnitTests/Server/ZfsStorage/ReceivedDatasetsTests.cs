using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.UnitTests.Server.ZfsStorage;

public sealed class ReceivedDatasetsTests
{
    private static readonly string[][] Snapshots =
    [
        ["b/web1/data@two", "22", "9", "0", "-", "200", "{}"],
        ["b/web1/data@one", "11", "7", "2", "-", "100", "-"],
        ["b/web1/other@x", "33", "8", "0", "b/clone", "5", "-"],
    ];

    [Fact]
    public void Snapshots_are_in_the_order_of_the_pool_whatever_their_names_say()
    {
        var chain = Assert.Single(Parse(["b/web1", "-", "-", "-"], ["b/web1/data", "-", "web1", "tank/data"]));

        Assert.Equal(
            ["b/web1/data@one", "b/web1/data@two"],
            chain.Snapshots.Select(snapshot => snapshot.Name.ToString())
        );
        Assert.Equal(22UL, chain.Newest!.Guid.Value);
        Assert.Equal("{}", chain.Newest.Note);
    }

    [Fact]
    public void Datasets_of_other_clients_or_without_a_source_are_left_out() =>
        Assert.Empty(
            Parse(
                ["b/web1", "-", "web1", "tank/data"],
                ["b/web1/data", "-", "web2", "tank/data"],
                ["b/web1/other", "-", "web1", "-"]
            )
        );

    [Fact]
    public void Lines_of_a_foreign_property_with_line_breaks_are_no_datasets_and_no_snapshots()
    {
        var chain = Assert.Single(
            ReceivedDatasets.Parse(
                DatasetName.Parse("b/web1"),
                "web1",
                [
                    ["b/web1/data", "-", "web1", "tank/data"],
                    ["b/web1/foreign", "-", "web1"],
                    ["rest"],
                    [""],
                ],
                [.. Snapshots, ["rest of a note"], ["a", "b"]]
            )
        );

        Assert.Equal("b/web1/data", chain.Name.Value);
        Assert.Equal(2, chain.Snapshots.Count);
    }

    [Fact]
    public void Held_and_cloned_snapshots_are_kept_with_the_reason()
    {
        var chains = Parse(["b/web1/data", "-", "web1", "tank/data"], ["b/web1/other", "1-abc", "web1", "tank/other"]);

        Assert.Equal("somebody holds it (zfs holds)", chains[0].Snapshots[0].Obstacle);
        Assert.Null(chains[0].Snapshots[1].Obstacle);
        Assert.Equal("it has a clone (b/clone)", chains[1].Snapshots[0].Obstacle);
        Assert.Equal("1-abc", chains[1].Token);
    }

    private static IReadOnlyList<ChainDataset> Parse(params string[][] datasets) =>
        ReceivedDatasets.Parse(DatasetName.Parse("b/web1"), "web1", datasets, Snapshots);
}
