using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Uploads.Zfs;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads.Zfs;

public sealed class ReceiveTargetTests
{
    private static readonly DatasetName Parent = DatasetName.Parse("backup/web1");
    private static readonly DatasetName Source = DatasetName.Parse("tank/data");

    [Fact]
    public void A_full_stream_creates_a_dataset_with_the_name_of_its_source()
    {
        var target = Choose(Begin(1), [], "backup/web1")!;

        Assert.Equal("backup/web1/tank_data@monday", target.Snapshot.ToString());
        Assert.True(target.IsNew);
    }

    [Fact]
    public void A_name_in_use_gets_a_number()
    {
        var target = Choose(Begin(1), [], "backup/web1/tank_data", "backup/web1/tank_data-2")!;

        Assert.Equal("backup/web1/tank_data-3", target.Snapshot.Dataset.Value);
    }

    [Fact]
    public void An_incremental_is_received_where_its_base_is_the_newest_snapshot()
    {
        var target = Choose(Begin(3, from: 2), [Chain("tank_data", 1), Chain("tank_data-2", 1, 2)])!;

        Assert.Equal("backup/web1/tank_data-2@monday", target.Snapshot.ToString());
        Assert.False(target.IsNew);
    }

    [Fact]
    public void An_incremental_on_an_older_snapshot_is_refused()
    {
        Assert.Null(
            ReceiveTarget.Choose(
                Parent,
                Source,
                Begin(3, from: 1),
                [Chain("tank_data", 1, 2)],
                Taken(),
                out var obstacle
            )
        );
        Assert.Contains("not the newest of backup/web1/tank_data", obstacle, StringComparison.Ordinal);
    }

    [Fact]
    public void An_incremental_without_its_base_is_refused()
    {
        Assert.Null(
            ReceiveTarget.Choose(
                Parent,
                Source,
                Begin(3, from: 9),
                [Chain("tank_data", 1, 2)],
                Taken(),
                out var obstacle
            )
        );
        Assert.Equal("no dataset here has that snapshot", obstacle);
    }

    [Fact]
    public void A_snapshot_whose_name_exists_gets_another_name()
    {
        var chain = Chain("tank_data", 1) with { Snapshots = [Snapshot("backup/web1/tank_data@monday", 1)] };

        Assert.Equal("backup/web1/tank_data@monday-2", Choose(Begin(2, from: 1), [chain])!.Snapshot.ToString());
    }

    [Fact]
    public void A_name_that_is_being_deleted_is_not_assigned()
    {
        Assert.Equal(
            "backup/web1/tank_data@monday-2",
            Choose(Begin(2, from: 1), [Chain("tank_data", 1)], "backup/web1/tank_data@monday")!.Snapshot.ToString()
        );
    }

    [Theory]
    [InlineData("tank/../../rpool/root")]
    [InlineData("tank//data")]
    [InlineData("-tank")]
    public void A_name_that_points_outside_the_directory_is_refused(string name) =>
        Assert.False(DatasetName.TryParse(name, out _, out _));

    [Fact]
    public void The_longest_names_fit_and_stay_distinct()
    {
        var parent = DatasetName.Parse("backup/" + new string('p', 100));
        var names = Enumerable
            .Range(1, 2)
            .Select(end =>
                ReceiveTarget
                    .Choose(
                        parent,
                        DatasetName.Parse("tank/" + new string('a', 249) + end),
                        Begin(1, name: new string('s', 240)),
                        [],
                        Taken(),
                        out _
                    )!
                    .Snapshot.ToString()
            )
            .ToList();

        Assert.All(names, name => Assert.InRange(name.Length, 1, DatasetName.MaxLength));
        Assert.NotEqual(names[0], names[1]);
    }

    private static ReceiveTarget? Choose(
        SnapshotStreamInfo begin,
        IReadOnlyCollection<ChainDataset> chains,
        params string[] taken
    ) => ReceiveTarget.Choose(Parent, Source, begin, chains, Taken(taken), out _);

    private static HashSet<string> Taken(params string[] names) => new(names, StringComparer.Ordinal);

    private static SnapshotStreamInfo Begin(ulong guid, ulong from = 0, string name = "monday") =>
        new()
        {
            SnapshotGuid = guid,
            BaseGuid = from,
            FullSnapshotName = $"tank/data@{name}",
            Type = DatasetType.Filesystem,
            Features = StreamFeatures.None,
            Flags = 0,
            CreationTime = DateTimeOffset.UnixEpoch,
        };

    private static ChainDataset Chain(string leaf, params ulong[] guids) =>
        new(
            DatasetName.Parse($"backup/web1/{leaf}"),
            "web1",
            "tank/data",
            null,
            [.. guids.Select(guid => Snapshot($"backup/web1/{leaf}@s{guid}", guid))]
        );

    private static ReceivedSnapshot Snapshot(string name, ulong guid) =>
        new(SnapshotName.Parse(name), new SnapshotGuid(guid), guid, 0, "", 1000, null);
}
