using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class MachineTests
{
    private const string Id = "0123456789abcdef0123456789abcdef";

    [Fact]
    public void A_machine_is_known_by_its_id_and_without_one_by_its_name()
    {
        Assert.Equal(Machine.Of(Id, "web1").Id, Machine.Of(Id, "renamed").Id);
        Assert.NotEqual(Machine.Of(Id, "web1").Id, Machine.Of(Id.Replace('0', '1'), "web1").Id);
        Assert.NotEqual(Machine.Of(null, "web1").Id, Machine.Of(null, "web2").Id);
        Assert.Equal(Machine.Of(null, "pair"), Machine.Named("pair"));
        Assert.Equal(Machine.Local, Machine.Local);
    }

    [Theory]
    [InlineData("web1")]
    [InlineData("root@nas:22")]
    [InlineData("wëb\n1\u001b[31m")]
    [InlineData("ü")]
    public void What_a_client_says_of_its_machine_is_accepted(string name)
    {
        var machine = Machine.Of(Id, name);

        Assert.True(Machine.IsValid(machine.Id, machine.Name));
        Assert.DoesNotContain(Id, machine.Id, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "web1")]
    [InlineData("0123456789abcdeg", "web1")]
    [InlineData("0123456789abcdef0", "web1")]
    [InlineData("0123456789abcdef", "")]
    [InlineData("0123456789abcdef", "a b")]
    public void Anything_else_is_refused(string id, string name) => Assert.False(Machine.IsValid(id, name));
}
