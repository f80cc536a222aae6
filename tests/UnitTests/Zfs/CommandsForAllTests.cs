using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

/// <summary>
/// A command for many names that was cut off is not taken for one that did all the names that it does not refuse.
/// </summary>
public sealed class CommandsForAllTests : IDisposable
{
    private static readonly string[] Names = ["tank/gone", "tank/a", "tank/b"];

    private readonly ScriptedPrograms _programs = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Names_that_ZFS_refuses_do_not_keep_it_from_the_others()
    {
        var zfs = _programs.Zfs("echo tank/a; echo \"cannot open 'tank/gone': dataset does not exist\" >&2; exit 1");
        List<string> rows = [];

        var refusals = await zfs.RunForAllAsync(["list"], Names, row => rows.Add(row[0]), Token);

        Assert.Equal(["tank/a"], rows);
        Assert.Equal("tank/gone", Assert.Single(refusals.All).Arguments[^1]);
    }

    [Fact]
    public async Task A_list_that_was_killed_is_no_list_whatever_it_refused_before()
    {
        var zfs = _programs.Zfs(
            "echo tank/a; echo \"cannot open 'tank/gone': dataset does not exist\" >&2; kill -9 $$"
        );

        var failure = await Assert.ThrowsAsync<ZfsException>(() =>
            zfs.RunForAllAsync(["list"], Names, _ => { }, Token)
        );

        Assert.Equal(ZfsEnd.Killed, failure.End);
    }

    [Fact]
    public async Task A_list_whose_connection_broke_is_no_list_whatever_it_refused_before()
    {
        var zfs = _programs.Ssh(
            "printf 'zfs-snapshot-manager\\ntank/a\\n'; echo \"cannot open 'tank/gone': dataset does not exist\" >&2; "
                + "echo 'client_loop: send disconnect: Broken pipe' >&2; exit 255"
        );

        await Assert.ThrowsAsync<ZfsException>(() => zfs.RunForAllAsync(["list"], Names, _ => { }, Token));
    }

    /// <summary>Over ssh it looks like a broken connection.</summary>
    [Fact]
    public async Task A_command_that_ends_with_255_over_ssh_is_run_for_each_name()
    {
        var zfs = _programs.Ssh(
            "echo zfs-snapshot-manager; for name in $names; do [ $name != tank/gone ] || { echo \"cannot set property "
                + "for '$name': permission denied\" >&2; exit 255; }; done"
        );

        var refusals = await zfs.RunForAllAsync(["set", "a:b=c"], Names, Token);

        Assert.Equal("tank/gone", Assert.Single(refusals.All).Arguments[^1]);
        Assert.Equal(1 + Names.Length, _programs.Count);
    }

    [Fact]
    public async Task A_command_that_ends_with_255_on_this_machine_has_done_what_it_does_not_refuse()
    {
        var zfs = _programs.Zfs("echo \"cannot set property for 'tank/gone': permission denied\" >&2; exit 255");

        var refusals = await zfs.RunForAllAsync(["set", "a:b=c"], Names, Token);

        Assert.Single(refusals.All);
        Assert.Equal(1, _programs.Count);
    }

    [Fact]
    public async Task All_refusals_of_a_thousand_names_are_seen()
    {
        var zfs = _programs.Zfs(
            "shift 2; for name; do echo \"cannot hold snapshot '$name': permission denied\"; done >&2; exit 1"
        );
        string[] names = [.. Enumerable.Range(1, 1000).Select(n => $"tank/{n}@zsm-manual-2026-11-30_01:02:03Z")];

        var refusals = await zfs.RunForAllAsync(["hold", "tag"], names, Token);

        Assert.Equal(names, refusals.All.Select(refusal => refusal.Arguments[^1]));
    }

    public void Dispose() => _programs.Dispose();
}
