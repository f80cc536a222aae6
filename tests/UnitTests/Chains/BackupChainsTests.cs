using CsCheck;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;

namespace ZfsSnapshotManager.UnitTests.Chains;

public sealed class BackupChainsTests
{
    [Fact]
    public void A_full_backup_is_its_own_chain()
    {
        var full = Backups.Full(1);

        Assert.Equal([full], new BackupChains([full]).Resolve(full));
    }

    [Fact]
    public void An_incremental_needs_its_chain_from_the_full_backup_in_order()
    {
        SnapshotInfo[] backups =
        [
            Backups.Incremental(4, 3),
            Backups.Full(1),
            Backups.Incremental(3, 2),
            Backups.Incremental(2, 1),
        ];

        Assert.Equal([1, 2, 3, 4], new BackupChains(backups).Resolve(backups[0])!.Select(b => b.SnapshotGuid.Value));
    }

    [Fact]
    public void A_chain_with_a_missing_link_is_not_a_chain()
    {
        SnapshotInfo[] backups = [Backups.Full(1), Backups.Incremental(3, 2)];

        Assert.Null(new BackupChains(backups).Resolve(backups[1]));
    }

    [Fact]
    public void The_shorter_of_two_chains_is_chosen()
    {
        SnapshotInfo[] backups =
        [
            Backups.Full(1),
            Backups.Incremental(2, 1),
            Backups.Full(2),
            Backups.Incremental(3, 2),
        ];

        var chain = new BackupChains(backups).Resolve(backups[3])!;

        Assert.Equal([backups[2], backups[3]], chain);
    }

    [Fact]
    public void Of_chains_of_equal_length_the_one_that_was_received_first_is_chosen()
    {
        var first = Backups.Full(1, "tank/old");
        var later = Backups.Full(1) with { ReceivedAt = first.ReceivedAt.AddHours(1) };
        var incremental = Backups.Incremental(2, 1);

        Assert.Same(first, new BackupChains([later, first, incremental]).BaseOf(incremental));
        Assert.Same(first, new BackupChains([first, later, incremental]).BaseOf(incremental));
    }

    [Fact]
    public void Links_follow_GUIDs_and_not_datasets()
    {
        SnapshotInfo[] backups = [Backups.Full(1, "tank/old"), Backups.Incremental(2, 1, "tank/new")];

        Assert.Equal(backups, new BackupChains(backups).Resolve(backups[1]));
    }

    [Fact]
    public void Raw_and_other_backups_form_no_chain()
    {
        SnapshotInfo[] backups = [Backups.Make(1, null, "tank/data", raw: true), Backups.Incremental(2, 1)];

        Assert.Null(new BackupChains(backups).Resolve(backups[1]));
    }

    [Theory]
    [InlineData("LargeBlocks", "", false)]
    [InlineData("", "LargeBlocks", true)]
    [InlineData("LargeBlocks", "LargeBlocks", true)]
    [InlineData("Redacted", "", false)]
    [InlineData("Redacted", "Redacted", true)]
    [InlineData("Raw", "Raw", true)]
    [InlineData("", "Raw", false)]
    [InlineData("SaSpill", "Lz4", true)]
    public void Only_what_zfs_receive_would_accept_forms_a_chain(string baseFeature, string feature, bool fits)
    {
        SnapshotInfo[] backups =
        [
            Backups.Full(1) with
            {
                Features = [baseFeature],
            },
            Backups.Incremental(2, 1) with
            {
                Features = [feature],
            },
        ];

        Assert.Equal(fits, new BackupChains(backups).Resolve(backups[1]) is not null);
    }

    [Fact]
    public void GUIDs_that_lead_in_a_circle_end()
    {
        SnapshotInfo[] backups = [Backups.Incremental(1, 2), Backups.Incremental(2, 1)];

        Assert.Null(new BackupChains(backups).Resolve(backups[0]));
    }

    [Fact]
    public void Every_chain_starts_full_links_up_and_does_not_depend_on_the_order_of_the_list()
    {
        var backup = Gen.Select(Gen.ULong[1, 8], Gen.ULong[0, 8], (guid, from) =>
            from == 0 ? Backups.Full(guid) : Backups.Incremental(guid, from)
        );
        backup
            .Array[1, 12]
            .CheckDraws(backups =>
            {
                var distinct = backups.DistinctBy(b => b.SnapshotId).ToArray();
                foreach (var target in distinct)
                {
                    var chain = new BackupChains(distinct).Resolve(target);
                    var reversed = new BackupChains(distinct.Reverse()).Resolve(target);
                    Assert.Equal(chain is null, reversed is null);
                    if (chain is null)
                        continue;
                    Assert.Equal(chain.Count, reversed!.Count);
                    Assert.False(chain[0].IsIncremental);
                    Assert.Same(target, chain[^1]);
                    Assert.All(chain.Zip(chain.Skip(1)), link =>
                        Assert.Equal(link.First.SnapshotGuid, link.Second.FromGuid)
                    );
                }
            });
    }
}
