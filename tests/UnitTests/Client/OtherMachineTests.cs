using ZfsSnapshotManager.Client.Backup;
using ZfsSnapshotManager.Client.Doctor;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Client;

public sealed class OtherMachineTests
{
    private static readonly DatasetName Dataset = DatasetName.Parse("tank/data");
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;

    [Fact]
    public void A_dataset_belongs_to_the_machine_that_was_seen_last()
    {
        Assert.Equal("nas", Find("clone", [Backup(1, "nas", 1)], [])?.Name);
        Assert.Null(Find("nas", [Backup(1, "nas", 1)], []));
        Assert.Equal("nas", Find("clone", [], [Upload("nas", 1)])?.Name);
        Assert.Equal("clone", Find("nas", [Backup(1, "nas", 1), Backup(2, "clone", 2)], [])?.Name);
        Assert.Null(Find("nas", [Backup(1, "nas", 3)], [Upload("clone", 2)]));
    }

    [Fact]
    public void What_says_nothing_of_its_machine_and_other_datasets_do_not_count()
    {
        Assert.Null(Find("nas", [Backup(1, null, 1)], [Upload(null, 1)]));
        Assert.Equal("clone", Find("nas", [Backup(1, "clone", 1), Backup(2, null, 2)], [])?.Name);
        Assert.Null(Find("nas", [Backup(1, "clone", 1) with { DatasetName = "tank/other" }], []));
    }

    [Theory]
    [InlineData("nas:3 old:2", "")] // it was replaced
    [InlineData("nas:3 old:4", "old")]
    [InlineData("old:1", "old")] // this one has not backed up yet
    [InlineData("nas:3 clone:1!", "clone")]
    [InlineData("nas:3", "")]
    [InlineData("nas:3!", "nas")] // a clone was refused
    public void Doctor_warns_of_machines_that_are_at_work_beside_this_one(string seen, string others)
    {
        var machines = seen.Split(' ')
            .Select(text => text.Split(':'))
            .Select(words => new MachineInfo
            {
                MachineId = words[0],
                MachineName = words[0],
                LastSeen = Now.AddMinutes(words[1][0] - '0'),
                RefusedDataset = words[1].EndsWith('!') ? Dataset.Value : null,
            })
            .ToList();

        var found = ClientDiagnosis.FindOthers("nas", machines).Select(machine => machine.MachineName);

        Assert.Equal(others, string.Join(' ', found));
    }

    /// <summary>A clone has its original's /etc/machine-id; so has a machine under its former name.</summary>
    [Fact]
    public void A_machine_with_the_same_id_and_another_name_is_a_clone_unless_its_snapshot_is_here()
    {
        SnapshotInfo[] backups = [Backup(1, "nas", 1) with { MachineName = "clone" }];
        UploadInfo[] uploads = [Upload("nas", 2) with { MachineName = "clone", SnapshotGuid = new SnapshotGuid(2) }];

        Assert.True(Find("nas", backups, []) is { IsClone: true, Name: "clone" });
        Assert.True(Find("nas", [], uploads) is { IsClone: true, Name: "clone" });
        Assert.True(Find("nas", backups, uploads, LeftoverPlanTests.Bookmark(1)) is { IsClone: true });
        Assert.Null(Find("nas", backups, [], LeftoverPlanTests.Bookmark(1)));
        Assert.Null(Find("nas", backups, uploads, LeftoverPlanTests.Bookmark(2)));
        Assert.True(Find("other", backups, uploads) is { IsClone: false });
        var clone = Find("nas", backups, [])!.ToFailure(Dataset, "web1");
        Assert.Contains("/etc/machine-id", clone.Message, StringComparison.Ordinal);
        Assert.Contains("systemd-machine-id-setup", clone.Remedy, StringComparison.Ordinal);
    }

    private static OtherMachine? Find(
        string machine,
        SnapshotInfo[] backups,
        UploadInfo[] uploads,
        params LocalSnapshot[] local
    ) => OtherMachine.Find(Dataset, new Machine(machine, machine), backups, uploads, local);

    private static SnapshotInfo Backup(ulong guid, string? machine, int minute) =>
        Backups.Full(guid) with
        {
            DatasetName = Dataset.Value,
            MachineId = machine,
            MachineName = machine,
            ReceivedAt = Now.AddMinutes(minute),
        };

    private static UploadInfo Upload(string? machine, int minute) =>
        new()
        {
            UploadId = "u",
            DatasetName = Dataset.Value,
            Compression = "none",
            SendFlags = [],
            TouchedAt = Now.AddMinutes(minute),
            MachineId = machine,
            MachineName = machine,
        };
}
