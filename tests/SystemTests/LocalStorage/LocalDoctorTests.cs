using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary><c>zfs-server doctor</c> of a server that stores in ZFS as an ordinary user.</summary>
[Collection("zfs-2")]
public sealed class LocalDoctorTests(SecondZfsHost host)
{
    [Fact]
    public async Task The_lines_that_it_prints_fix_what_is_missing()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        (await lab.ServerAsync("client add second --storage-type local")).MustSucceed();
        var good = await RunAsync(lab);
        Assert.True(good.ExitCode == 0, good.Text);
        Assert.Equal(
            $"{lab.Base} exists, and backup has all permissions that it needs there",
            good.Find("dataset").Message
        );
        Assert.Equal(
            [$"{lab.Client.Id}: {lab.Parent} exists", $"second: {lab.Base}/second is created when it is needed"],
            good.Checks.Where(check => check.Name == "client").Select(check => check.Message)
        );

        await host.OutputAsync($"zfs unallow -u backup exec {lab.Base}");
        Assert.Equal($"zfs allow -u backup exec {lab.Base}", await MendAsync(lab, exitCode: 6));
        await lab.FillAsync("data", 1);
        await lab.BackUpAsync();
        await host.OutputAsync(
            $"zfs unallow -u backup create,quota {lab.Base} && zfs allow -u backup create,quota {lab.Parent}"
        );
        Assert.Equal($"zfs allow -u backup create,quota {lab.Base}", await MendAsync(lab, exitCode: 6));
        Assert.Equal("incremental", (await lab.BackUpAsync()).GetProperty("kind").GetString());
    }

    [Fact]
    public async Task The_lines_also_create_a_missing_dataset_and_directory()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        var missing = $"{lab.Base}/deep/er";
        Assert.StartsWith(
            $"zfs create -p -o mountpoint=none -o canmount=off {missing} && zfs allow -u backup create,",
            await MendAsync(lab, exitCode: 8, $"ZFS_BASE_DATASET={missing}"),
            StringComparison.Ordinal
        );
        Assert.Equal(
            $"install -d -m 700 -o backup {lab.Folder}/roots/data",
            await MendAsync(
                lab,
                exitCode: 3,
                $"DATA_DIR={lab.Folder}/roots/data CONFIG_FILE={lab.Folder}/data/clients.json PORT=0",
                $"install -d -m 755 {lab.Folder}/roots"
            )
        );

        (await lab.ServerAsync($"client set {lab.Client.Id} --storage-type s3")).MustSucceed();
        var unused = await RunAsync(lab, $"ZFS_BASE_DATASET={lab.Base}/nowhere");
        Assert.Equal((0, "warning"), (unused.ExitCode, unused.Find("dataset").Status));
    }

    /// <summary>Something is missing, and nothing is after root has run the printed line.</summary>
    /// <returns>The line.</returns>
    private static async Task<string> MendAsync(
        LocalLab lab,
        int exitCode,
        string settings = "",
        string prepare = "true"
    )
    {
        await lab.Host.OutputAsync(prepare);
        var sick = await RunAsync(lab, settings);
        Assert.True(sick.ExitCode == exitCode, sick.Text);
        var line = sick.Line();
        await lab.Host.OutputAsync(line);
        var well = await RunAsync(lab, settings);
        Assert.True(well.ExitCode == 0, well.Text);
        return line;
    }

    private static async Task<DoctorReport> RunAsync(LocalLab lab, string settings = "") =>
        DoctorReport.Of(await lab.ServerAsync("doctor --json", settings));
}
