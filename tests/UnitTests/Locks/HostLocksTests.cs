using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Locks;
using ZfsSnapshotManager.UnitTests.Server;

namespace ZfsSnapshotManager.UnitTests.Locks;

public sealed class HostLocksTests : IDisposable
{
    private const string Name = "zfs-client.lock";
    private const string Key = "tank/data";

    private readonly TemporaryFolder _folder = new();
    private readonly string _first;
    private readonly string _second;

    public HostLocksTests()
    {
        _first = Directory.CreateDirectory(Path.Combine(_folder.Path, "run")).FullName;
        _second = Directory.CreateDirectory(Path.Combine(_folder.Path, "tmp")).FullName;
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void One_has_it_at_a_time_until_it_is_done()
    {
        using (var held = New([_first, _second]))
        {
            Assert.True(held.TryAcquire(Key));
            Assert.Equal([Path.Combine(_first, Name), Path.Combine(_second, Name)], held.Paths);
            using var other = New([_first, _second]);
            Assert.False(other.TryAcquire(Key));
            Assert.True(other.TryAcquire("tank/other"));
            Assert.False(held.TryAcquire("tank/other"));
        }

        using var again = New([_first, _second]);
        Assert.True(again.TryAcquire(Key));
    }

    /// <summary>Fedora: root locks in both directories, another user only in the second.</summary>
    [Fact]
    public void Users_with_one_directory_in_common_exclude_each_other()
    {
        using var root = New([_first, _second]);
        using var user = New([Missing, _second]);
        Assert.True(root.TryAcquire(Key));
        Assert.False(user.TryAcquire(Key));
        Assert.True(user.TryAcquire("tank/other"));
        Assert.False(root.TryAcquire("tank/other"));

        using var onlyFirst = New([_first]);
        Assert.True(onlyFirst.TryAcquire("tank/other"), "what cannot be had everywhere is held nowhere");
    }

    [Fact]
    public void Whatever_the_umask_is_other_users_can_lock_in_the_file()
    {
        using var held = New([_first]);
        held.TryAcquire(Key);

        Assert.Equal("rw-rw-rw-", ModeOf(Path.Combine(_first, Name)));
    }

    [Fact]
    public void A_link_that_somebody_put_there_is_not_followed()
    {
        var victim = Path.Combine(_folder.Path, "victim");
        File.CreateSymbolicLink(Path.Combine(_first, Name), victim);

        using var held = New([_first, _second]);

        Assert.True(held.TryAcquire(Key));
        Assert.Equal([Path.Combine(_second, Name)], held.Paths);
        Assert.False(File.Exists(victim));
    }

    [Fact]
    public void A_directory_of_the_user_is_used_where_no_other_can_be()
    {
        using var own = new HostLocks(Name, [Missing], [Missing, _first, _second]);
        Assert.True(own.TryAcquire(Key));
        Assert.Equal([Path.Combine(_first, Name)], own.Paths);

        using var shared = new HostLocks(Name, [_second], [_first]);
        Assert.True(shared.TryAcquire(Key));
        Assert.Equal([Path.Combine(_second, Name)], shared.Paths);
    }

    [Fact]
    public void Where_no_directory_can_have_it_all_are_named_with_the_reason()
    {
        using var locks = new HostLocks(Name, [Missing], ["/proc"]);

        var failure = Assert.Throws<OperationException>(() => locks.TryAcquire(Key));

        Assert.Equal(ExitCode.Failure, failure.ExitCode);
        Assert.Contains($"{Missing}/{Name}: No such file or directory", failure.Message, StringComparison.Ordinal);
        Assert.Contains($"/proc/{Name}", failure.Message, StringComparison.Ordinal);
    }

    private string Missing => Path.Combine(_folder.Path, "missing");

    private static HostLocks New(string[] shared) => new(Name, shared, []);

    private static string ModeOf(string path)
    {
        var mode = File.GetUnixFileMode(path);
        return string.Concat(
            "rwxrwxrwx".Select((letter, index) => mode.HasFlag((UnixFileMode)(0x100 >> index)) ? letter : '-')
        );
    }
}
