using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class ZfsErrorLinesTests
{
    [Theory]
    [InlineData("cannot create snapshot 'tank/a b@x': dataset is busy", "tank/a b@x")]
    [InlineData("cannot create snapshot 'tank/limited': out of space", "tank/limited")]
    [InlineData("cannot open 'tank/gone': dataset does not exist", "tank/gone")]
    [InlineData("cannot hold snapshot 'tank/a@x': tag already exists on this dataset", "tank/a@x")]
    [InlineData("cannot release hold from snapshot 'tank/a@x': no such tag on this dataset", "tank/a@x")]
    public void A_line_names_what_ZFS_refused(string line, string name) =>
        Assert.Equal([(name, line)], ZfsErrorLines.Read($"{line}\nno snapshots were created\n"));

    [Theory]
    [InlineData("")]
    [InlineData("cannot create snapshots : permission denied\nno snapshots were created")]
    [InlineData("bad property list: invalid property 'nosuch'\nusage:\n\tlist [-Hp]")]
    [InlineData("Welcome to 'nas': cannot be true")]
    public void Other_lines_name_nothing(string error) => Assert.Empty(ZfsErrorLines.Read(error));
}
