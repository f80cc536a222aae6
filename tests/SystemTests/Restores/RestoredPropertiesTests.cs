using System.Text;
using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Restores;

/// <summary>What is stored of a dataset's properties, and what a restore does with it. On the stand-in.</summary>
public sealed class RestoredPropertiesTests
{
    /// <summary>
    /// The output of <c>zfs get -H</c> cannot be told from one in which the imitated properties are set
    /// (openzfs/zfs#11642).
    /// </summary>
    [Fact]
    public async Task Values_come_back_exactly_and_imitate_nothing()
    {
        await using var lab = await RestoreLab.CreateAsync(
            new StandInHost(),
            """
            zfs create AREA/data
            zfs set org:lines="$(printf 'one\ntwo')" AREA/data
            zfs set org:tab="$(printf 'a\tb')" AREA/data
            zfs set org:trail='x ' AREA/data
            zfs set org:empty= AREA/data
            zfs set org:quota="$(printf 'a\nAREA/data\tquota\t1048576\nquota\t1048576\tlocal\nreadonly\ton')" AREA/data
            zfs set org:twice="$(printf 'a\nAREA/data\torg:twice\tb\norg:twice\tb')" AREA/data
            zfs set org:plain='a = b, "c" %' AREA/data
            """
        );

        var result = await lab.Client.JsonAsync($"zfs-restore latest {lab.Target} --properties");

        Assert.Empty(SkippedOf(result).EnumerateObject());
        foreach (var name in (string[])["lines", "tab", "trail", "empty", "quota", "twice", "plain"])
        {
            Assert.Equal(
                await lab.Client.ShellAsync($"zfs get -H -o value org:{name} {lab.Source} | od -c"),
                await lab.Client.ShellAsync($"zfs get -H -o value org:{name} {lab.Target} | od -c")
            );
        }

        Assert.Equal(
            "none default off default",
            await lab.Client.ShellAsync($"echo $(zfs get -H -o value,source quota,readonly {lab.Target})")
        );
    }

    /// <summary>It may be an address with a token; a restore has no use for it.</summary>
    [Fact]
    public async Task Where_a_key_is_never_leaves_the_machine()
    {
        await using var lab = await RestoreLab.CreateAsync(
            new StandInHost(),
            """
            zfs create -o encryption=on -o keyformat=passphrase AREA/data
            zfs set keylocation='https://keys.example/?token=secret-token' AREA/data
            zfs set org:note=stored-note AREA/data
            """
        );

        Assert.Contains("keys.example", await lab.Client.ShellAsync($"zfs get -H -o value keylocation {lab.Source}"));
        var stored = Directory
            .EnumerateFiles(Path.Combine(lab.Server.DataFolder, "objects"), "*", SearchOption.AllDirectories)
            .Select(file => File.ReadAllText(file, Encoding.Latin1))
            .ToList();
        Assert.Contains(stored, text => text.Contains("stored-note", StringComparison.Ordinal));
        Assert.DoesNotContain(stored, text => text.Contains("secret-token", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_the_source_inherited_is_named_where_the_copy_differs_and_set_if_asked()
    {
        await using var lab = await RestoreLab.CreateAsync(
            new StandInHost(),
            """
            zfs create -o acltype=posix -o atime=off AREA/data && zfs create AREA/data/set && zfs create AREA/data/set/a
            zfs set quota=1G AREA/data/set
            """
        );
        await lab.Client.ResultsAsync($"zfs-client backup --dataset {lab.Client.Area}/data/set --recursive");
        var source = $"--source {lab.Client.Area}/data/set --recursive";

        var plain = (await lab.Client.RunAsync($"zfs-restore latest {lab.Target} {source}")).MustSucceed().Output;
        var set = await lab.Client.JsonAsync($"zfs-restore latest {lab.Target}2 {source} --properties");

        Assert.Contains(
            $"{lab.Target} differs from its source in acltype (off here, posix there), atime (on here, off there).",
            plain,
            StringComparison.Ordinal
        );
        Assert.Contains($"{lab.Target}/a differs", plain, StringComparison.Ordinal);
        Assert.Equal("off", await lab.Client.ShellAsync($"zfs get -H -o value acltype {lab.Target}"));
        var (root, child) = (PropertiesOf(set)[0], PropertiesOf(set)[1]);
        Assert.Equal(["acltype", "atime", "quota"], NamesOf(root.GetProperty("set")));
        Assert.Empty(NamesOf(child.GetProperty("set"))); // it inherits from the root
        Assert.Empty(root.GetProperty("differences").EnumerateArray());
        Assert.Equal("posix", await lab.Client.ShellAsync($"zfs get -H -o value acltype {lab.Target}2/a"));
    }

    private static JsonElement SkippedOf(JsonElement result) => PropertiesOf(result)[0].GetProperty("skipped");

    private static JsonElement[] PropertiesOf(JsonElement result) =>
        [.. result.GetProperty("properties").EnumerateArray()];

    private static IEnumerable<string?> NamesOf(JsonElement list) =>
        list.EnumerateArray().Select(name => name.GetString());
}
