using ZfsSnapshotManager.Restore.Mounting;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class MountTableTests
{
    private static readonly string[] Lines =
    [
        "proc /proc proc rw 0 0",
        "tank/a /srv/a zfs rw 0 0",
        "tank/with\\040blank /srv/with\\040blank\\134 zfs rw 0 0",
        "tank/a /mnt/again zfs ro 0 0",
    ];

    [Theory]
    [InlineData("tank/a", "/mnt/again")]
    [InlineData("tank/with blank", "/srv/with blank\\")]
    [InlineData("tank", null)]
    public void A_dataset_s_directory_is_found(string dataset, string? directory) =>
        Assert.Equal(directory, MountTable.FindDirectory(dataset, Lines));

    /// <summary>A machine may have others, for instance of a changed root.</summary>
    [Fact]
    public void The_table_of_this_machine_can_be_read() =>
        Assert.EndsWith("/proc", MountTable.FindDirectory("proc"), StringComparison.Ordinal);
}
