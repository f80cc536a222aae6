using System.Text.Json;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// Backups that the server keeps in ZFS, from the client to the restore, with what only real ZFS has: files, volumes,
/// encryption, properties. See <see cref="LocalBackupTests"/> for the rest.
/// </summary>
[Collection("zfs-2")]
public sealed class LocalBackupOnZfsTests(SecondZfsHost host)
{
    /// <summary>Properties that a client must not be able to set by the streams it sends.</summary>
    private static readonly string[] Harmless =
    [
        "canmount=off",
        "mountpoint=none",
        "readonly=on",
        "setuid=off",
        "exec=off",
        "devices=off",
        "sharenfs=off",
        "sharesmb=off",
        "atime=off",
        "mounted=no",
    ];

    [Fact]
    public async Task A_full_backup_and_an_incremental_are_snapshots_that_restore_alone()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        await lab.Client.ShellAsync(
            $"zfs set sharenfs=on setuid=on exec=on quota=1G org.example:evil=yes {lab.Source}"
        );
        await lab.FillAsync("first", 5);
        var full = (await lab.BackUpAsync()).GetProperty("backup");
        await lab.FillAsync("second", 3);
        await lab.Client.ShellAsync($"rm /{lab.Source}/first/f01");
        var incremental = (await lab.BackUpAsync()).GetProperty("backup");

        Assert.Equal("local", full.GetProperty("storage_type").GetString());
        Assert.False(incremental.TryGetProperty("from_guid", out _));
        Assert.Equal(
            [
                lab.Received,
                full.GetProperty("storage_key").GetString()!,
                incremental.GetProperty("storage_key").GetString()!,
            ],
            await lab.ReceivedNamesAsync()
        );
        Assert.Equal(lab.Received, incremental.GetProperty("storage_key").GetString()!.Split('@')[0]);
        await AssertHarmlessAsync(lab);

        var sources = (await lab.Client.SnapshotsOfAsync(lab.Source))
            .Where(name => name.Contains('@', StringComparison.Ordinal))
            .ToArray();
        await lab.AssertRestoresAsync(sources[1]);
        await lab.Client.JsonAsync($"zfs-restore restore 2 {lab.Client.Area}/older");
        await lab.Client.AssertSameAsync(sources[0], $"{lab.Client.Area}/older");
        var (id, guid) = (
            incremental.GetProperty("snapshot_id").GetString(),
            full.GetProperty("snapshot_guid").GetString()
        );
        await lab.Host.OutputAsync(
            $"set -o pipefail; curl -sf -H 'X-API-Key: {lab.Client.Key}' "
                + $"'{lab.Url}/download?snapshot_id={id}&from_guid={guid}' "
                + $"| zfs receive -u {lab.Client.Area}/older"
        );
        await lab.Client.AssertSameAsync(sources[1], $"{lab.Client.Area}/older");
        (await lab.Client.RunAsync("zfs-restore verify all")).MustSucceed();
        await lab.Client.JsonAsync("zfs-restore save 1 saved.zfs");
        (await lab.Client.RunAsync("zfs-restore stream verify saved.zfs")).MustSucceed();
        var status = await lab.Client.JsonAsync("zfs-client status");
        Assert.InRange(status.GetProperty("used_bytes").GetInt64(), 8_000_000, 20_000_000);
    }

    [Fact]
    public async Task A_volume_and_a_raw_encrypted_dataset_are_received_without_device_and_key_and_restored()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        var (volume, secret) = ($"{lab.Client.Area}/vol", $"{lab.Client.Area}/secret");
        await lab.Client.ShellAsync(
            $"zfs create -V 8M {volume} && for i in $(seq 100); do [ -b /dev/zvol/{volume} ] && break; sleep 0.1; "
                + $"done; head -c 2M /dev/urandom > /dev/zvol/{volume}; sync; zfs snapshot {volume}@v"
        );
        await lab.Client.ShellAsync(
            $"echo correct-horse > /tmp/key && zfs create {Passphrase.Options} -o "
                + $"keylocation=file:///tmp/key {secret} && head -c 1M /dev/urandom > /{secret}/f && sync && zfs "
                + $"snapshot {secret}@s"
        );

        (await lab.SendAsync($"zfs send -L {volume}@v", volume)).MustSucceed();
        (await lab.SendAsync($"zfs send -L -w {secret}@s", secret)).MustSucceed();

        Assert.Equal(
            "none\non\noff",
            await host.OutputAsync(
                $"zfs get -H -o value volmode,readonly {lab.Parent}/{volume.Replace('/', '_')}; zfs get -H -o value "
                    + $"canmount {lab.Parent}/{secret.Replace('/', '_')}"
            )
        );
        Assert.Equal(
            "unavailable",
            await host.OutputAsync($"zfs get -H -o value keystatus {lab.Parent}/{secret.Replace('/', '_')}")
        );
        await lab.Client.JsonAsync($"zfs-restore latest {volume}2 --source {volume}");
        Assert.Equal(await DigestAsync(volume), await DigestAsync($"{volume}2"));
        await lab.Client.JsonAsync($"zfs-restore latest {secret}2 --source {secret}");
        await lab.Client.ShellAsync(
            $"zfs load-key -L file:///tmp/key {secret}2 && zfs mount -o ro {secret}2 2>/dev/null || zfs set "
                + $"canmount=on {secret}2 && zfs mount {secret}2; cmp /{secret}/f /{secret}2/f"
        );
    }

    [Fact]
    public async Task A_tree_is_restored_with_the_properties_that_its_snapshots_record_and_no_others()
    {
        await using var lab = await LocalLab.CreateAsync(host);
        await lab.Client.ShellAsync(
            $"zfs create {lab.Source}/a && echo x > /{lab.Source}/file && echo a > /{lab.Source}/a/file && zfs set "
                + $"compression=lz4 mountpoint=/tmp/elsewhere {lab.Source}"
        );
        await lab.Client.ShellAsync(
            "zfs set recordsize=64K quota=1G org.example:note='$(touch /tmp/no); \"ü\"' org.example:long=$(head -c "
                + $"8000 /dev/zero | tr '\\0' x) {lab.Source}/a"
        );
        var backups = (await lab.Client.ResultsAsync("zfs-client backup --recursive"))
            .Select(result => result.GetProperty("backup"))
            .ToArray();

        var properties = await RestorePropertiesAsync(lab, "restored");
        Assert.Equal(["compression"], NamesOf(properties[0].GetProperty("set")));
        Assert.Equal(
            ["mountpoint"],
            properties[0].GetProperty("skipped").EnumerateObject().Select(skipped => skipped.Name)
        );
        Assert.Equal(["org.example:note", "quota", "recordsize"], NamesOf(properties[1].GetProperty("set")));
        Assert.Contains(
            "too long",
            properties[1].GetProperty("skipped").GetProperty("org.example:long").GetString(),
            StringComparison.Ordinal
        );
        Assert.Equal(
            "lz4 65536 1073741824 $(touch /tmp/no); \"ü\" -",
            await lab.Client.ShellAsync(
                $"echo $(zfs get -Hpo value compression {lab.Client.Area}/restored) $(zfs get -Hpo value "
                    + $"recordsize,quota,org.example:note,org.example:long {lab.Client.Area}/restored/a)"
            )
        );

        var (lost, wrong) = (backups[0], backups[1]);
        var manifest = (await ManifestAsync(lab, lost)).MustSucceed().Json;
        Assert.Equal("lz4", manifest.GetProperty("properties").GetProperty("compression").GetString());
        Assert.Equal(0, manifest.GetProperty("objects").GetArrayLength());
        await host.OutputAsync(
            $"note=$(zfs get -H -o value zfs-snapshot-manager:manifest {KeyOf(lost)}) && zfs inherit "
                + $"zfs-snapshot-manager:manifest {KeyOf(lost)} && zfs set \"zfs-snapshot-manager:manifest=$note\" "
                + $"{KeyOf(wrong)}"
        );
        (await ManifestAsync(lab, lost)).AssertRefused(404, "not_found", "has no manifest");
        (await ManifestAsync(lab, wrong)).AssertRefused(500, "object_damaged", "not the one that was stored");
        await host.OutputAsync($"zfs set zfs-snapshot-manager:manifest='{{}}' {KeyOf(wrong)}");
        (await ManifestAsync(lab, wrong)).AssertRefused(500, "object_damaged", "is not its manifest", "snapshot_id");

        var unknown = await RestorePropertiesAsync(lab, "plain");
        Assert.Contains("has no manifest", unknown[0].GetProperty("fault").GetString(), StringComparison.Ordinal);
        Assert.Contains("is not its manifest", unknown[1].GetProperty("fault").GetString(), StringComparison.Ordinal);
        var sent = (await lab.Client.SnapshotsOfAsync($"{lab.Source}/a"))[0];
        await lab.AssertSameAsync(sent, "plain/a");
        await lab.AssertRestoresAsync(sent, "alone", $"--source {lab.Source}/a");
    }

    /// <summary>Restores all of the source and returns the properties, those of the descendants last.</summary>
    private static async Task<JsonElement[]> RestorePropertiesAsync(LocalLab lab, string target) =>
        [
            .. (
                await lab.Client.JsonAsync(
                    $"zfs-restore latest {lab.Client.Area}/{target} --source {lab.Source} --recursive --properties"
                )
            )
                .GetProperty("properties")
                .EnumerateArray(),
        ];

    private static Task<CurlAnswer> ManifestAsync(LocalLab lab, JsonElement backup) =>
        lab.CurlAsync(
            $"'URL/snapshots/{Uri.EscapeDataString(backup.GetProperty("snapshot_id").GetString()!)}/manifest'"
        );

    private static string KeyOf(JsonElement backup) => $"'{backup.GetProperty("storage_key").GetString()}'";

    private static IEnumerable<string?> NamesOf(JsonElement list) =>
        list.EnumerateArray().Select(name => name.GetString());

    private Task<string> DigestAsync(string volume) =>
        host.OutputAsync(
            $"for i in $(seq 100); do [ -b /dev/zvol/{volume} ] && break; sleep 0.1; done; sha256sum < "
                + $"/dev/zvol/{volume}"
        );

    private async Task AssertHarmlessAsync(LocalLab lab)
    {
        var properties = Harmless.Select(property => property.Split('=')[0]);
        Assert.Equal(
            Harmless.Select(property => property.Split('=')[1]),
            (await host.OutputAsync($"zfs get -H -o value {string.Join(',', properties)} {lab.Received}")).Split('\n')
        );
        Assert.Equal("-\nnone", await host.OutputAsync($"zfs get -H -o value org.example:evil,quota {lab.Received}"));
    }
}
