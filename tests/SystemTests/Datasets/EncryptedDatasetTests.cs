using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>Encrypted data leave the machine as they are on disk.</summary>
[Collection("zfs")]
public sealed class EncryptedDatasetTests(ZfsHost host)
{
    private const string Secret = "a sentence that nobody else may read, many times over";

    [Fact]
    public async Task A_locked_dataset_is_backed_up_raw_interrupted_and_restored_with_its_key()
    {
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = "1" }
        );
        await using var client = await CreateAsync(server, "COMPRESSION=none");
        var dataset = $"{client.Area}/data/secret";
        await client.ShellAsync(
            $"cd /{dataset} && yes '{Secret}' | head -c 3000000 > text && dd if=/dev/urandom of=random bs=1M "
                + "count=8 2>/dev/null && setfattr -n user.note -v \"$(head -c 3000 /dev/zero | tr '\\0' x)\" text"
        );
        await LockAsync(client, dataset);
        await InterruptAsync(server, client, $"zfs-client backup --dataset {dataset}");

        var first = await client.JsonAsync($"zfs-client backup --dataset {dataset}");
        var (whole, resumed) = (first.GetProperty("backup"), first.GetProperty("resumed"));
        Assert.True(resumed.GetProperty("from_bytes").GetInt64() > 0);
        Assert.True(resumed.GetProperty("backup").GetProperty("raw").GetBoolean());
        Assert.Equal("-w", Assert.Single(whole.GetProperty("send_flags").EnumerateArray()).GetString());
        await UnlockAsync(client, dataset);
        await client.ShellAsync($"cd /{dataset} && echo '{Secret}' >> text && rm random");
        await LockAsync(client, dataset);
        var second = await client.JsonAsync($"zfs-client backup --dataset {dataset}");

        Assert.Equal("incremental", second.GetProperty("kind").GetString());
        foreach (
            var file in Directory.GetFiles(Path.Combine(server.DataFolder, "objects"), "*", SearchOption.AllDirectories)
        )
            Assert.DoesNotContain(
                Secret,
                await File.ReadAllTextAsync(file, System.Text.Encoding.Latin1, TestContext.Current.CancellationToken),
                StringComparison.Ordinal
            );
        var restored = await client.RunAsync($"zfs-restore latest {client.Area}/restored --source {dataset}");
        Assert.Contains(
            $"zfs load-key {client.Area}/restored",
            restored.MustSucceed().Output,
            StringComparison.Ordinal
        );
        await UnlockAsync(client, dataset);
        await client.ShellAsync($"echo 'a long passphrase' | zfs load-key {client.Area}/restored");
        var snapshot = second.GetProperty("snapshot").GetString()!;
        await client.AssertSameAsync(snapshot, $"{client.Area}/restored");
    }

    [Fact]
    public async Task A_chain_that_was_not_raw_is_followed_by_a_full_raw_one_that_says_why()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await CreateAsync(server);
        var dataset = $"{client.Area}/data/secret";
        await client.WriteSettingsAsync($"LOCAL_DATASET={dataset}", "RAW_SEND=false");
        var plain = await client.JsonAsync("zfs-client backup");
        Assert.False(plain.GetProperty("backup").GetProperty("raw").GetBoolean());
        await client.WriteSettingsAsync($"LOCAL_DATASET={dataset}");

        var raw = await client.JsonAsync("zfs-client backup");

        Assert.Equal("full", raw.GetProperty("kind").GetString());
        Assert.Contains("never mix", raw.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.True(raw.GetProperty("backup").GetProperty("raw").GetBoolean());
        Assert.Equal("incremental", (await client.JsonAsync("zfs-client backup")).GetProperty("kind").GetString());
    }

    [Fact]
    public async Task A_tree_comes_back_with_its_mixture_of_encrypted_and_unencrypted_datasets()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server);
        await client.ShellAsync(
            $"D={client.Area}; K='{Passphrase.Options}'; echo 'a long passphrase' | zfs create $K "
                + "$D/data && zfs create -o encryption=off $D/data/plain && zfs create -o encryption=off $D/data/gap "
                + "&& zfs create $D/data/gap/below && echo 'another passphrase' | zfs create $K $D/data/plain/own && "
                + "for d in data data/plain data/plain/own data/gap/below; do echo $d > /$D/$d/f; "
                + "done; sync"
        );
        string[] datasets = ["data", "data/plain", "data/plain/own", "data/gap/below"];
        await client.WriteSettingsAsync(
            $"LOCAL_DATASET={string.Join(',', datasets.Select(dataset => $"{client.Area}/{dataset}"))}"
        );
        await client.ResultsAsync("zfs-client backup");

        var restored = await client.RunAsync(
            $"zfs-restore latest {client.Area}/back --source {client.Area}/data --recursive"
        );

        restored.MustSucceed();
        Assert.Equal(
            "aes-256-gcm off off aes-256-gcm",
            await client.ShellAsync(
                $"echo $(zfs get -H -o value encryption {client.Area}/back {client.Area}/back/gap/below "
                    + $"{client.Area}/back/plain {client.Area}/back/plain/own)"
            )
        );
        Assert.Equal(
            "data\ndata/plain\ndata/plain/own\ndata/gap/below",
            await client.ShellAsync(
                $"D={client.Area}/back; echo 'a long passphrase' | zfs load-key $D && echo 'another passphrase' | zfs "
                    + "load-key $D/plain/own && for d in $D $D/plain $D/plain/own $D/gap/below; do m=$(mktemp -d) && "
                    + "zfs set mountpoint=$m $d && zfs mount $d && cat $m/f && zfs unmount $d; done"
            )
        );
    }

    [Fact]
    public async Task Below_an_encrypted_dataset_a_plain_backup_stays_plain_or_says_which_key_it_needs()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(host, server, "data");
        await client.ShellAsync($"echo 'a long passphrase' | zfs create {Passphrase.Options} {client.Area}/vault");
        await client.JsonAsync("zfs-client backup");
        var restore = $"zfs-restore latest {client.Area}/vault";

        var inherited = await client.RunAsync($"{restore}/inherited --encryption inherit");
        var plain = await client.RunAsync($"{restore}/plain");
        await client.ShellAsync(
            $"zfs destroy -r {client.Area}/vault/inherited && zfs unmount {client.Area}/vault && zfs unload-key "
                + $"{client.Area}/vault"
        );
        var doctor = await client.RunAsync($"zfs-restore doctor {client.Area}/vault");
        var refused = await client.RunAsync($"{restore}/refused --encryption inherit");
        var locked = await client.RunAsync($"{restore}/locked");

        Assert.Contains(
            $"encrypted with the key of {client.Area}/vault",
            inherited.MustSucceed().Error,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "is restored unencrypted, as its source was",
            plain.MustSucceed().Error,
            StringComparison.Ordinal
        );
        Assert.Contains($"zfs load-key {client.Area}/vault", doctor.Output, StringComparison.Ordinal);
        Assert.Equal(9, refused.ExitCode);
        Assert.Contains($"zfs load-key {client.Area}/vault", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("RAW_SEND", refused.Error, StringComparison.Ordinal);
        locked.MustSucceed();
        Assert.Equal(
            "off off",
            await client.ShellAsync(
                $"echo $(zfs get -H -o value encryption {client.Area}/vault/plain {client.Area}/vault/locked)"
            )
        );
        Assert.DoesNotContain(
            "refused",
            await client.ShellAsync($"zfs list -H -o name -r {client.Area}"),
            StringComparison.Ordinal
        );
    }

    private async Task<ClientMachine> CreateAsync(ServerProcess server, params string[] settings)
    {
        var client = await ClientMachine.CreateAsync(host, server, "data");
        await client.ShellAsync(
            $"echo 'a long passphrase' | zfs create {Passphrase.Options} -o dnodesize=auto -o "
                + $"xattr=sa {client.Area}/data/secret"
        );
        await client.WriteSettingsAsync([$"LOCAL_DATASET={client.Area}/data", .. settings]);
        return client;
    }

    private static Task<string> LockAsync(ClientMachine client, string dataset) =>
        client.ShellAsync($"zfs unmount {dataset} && zfs unload-key {dataset}");

    private static Task<string> UnlockAsync(ClientMachine client, string dataset) =>
        client.ShellAsync($"echo 'a long passphrase' | zfs load-key {dataset} && zfs mount {dataset}");

    /// <summary>Kills a backup once some of it is stored.</summary>
    private static async Task InterruptAsync(ServerProcess server, ClientMachine client, string command)
    {
        await using var proxy = new TcpProxy(server.Port);
        proxy.BeSilentAfter(5_000_000);
        using var backup = client.StartPast(proxy, command);
        await proxy.UntilSilentAsync();
        await client.KillAsync("zfs-client");
        await Patience.WaitForEndAsync(backup, command);
    }
}
