using System.Buffers;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Writing;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsHost = ZfsSnapshotManager.SystemTests.Fixtures.ZfsHost;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>
/// Errors are provoked on real ZFS and must be recognised: its messages are all that the programs have.
/// </summary>
[Collection("zfs")]
public sealed class ZfsErrorTests(ZfsHost host, ZfsErrorArea area) : IClassFixture<ZfsErrorArea>
{
    /// <summary>
    /// The command that causes the error, and what the remedy must mention. $A is the dataset of all cases: each
    /// creates others of its own below it, and leaves $A/d and $A/big unchanged.
    /// </summary>
    public static TheoryData<string, string> Faults { get; } =
        new()
        {
            {
                "zfs send $A/d@two | zfs receive $A/r && zfs mount $A/r; echo x > /$A/r/x; zfs send -i $A/d@two "
                    + "$A/d@three | zfs receive $A/r",
                "changed after it was received"
            },
            {
                "zfs send $A/d@one | zfs receive $A/old && zfs send -i $A/d@two $A/d@three | zfs receive $A/old",
                "newest snapshot is not the base"
            },
            { "zfs send $A/d@one | zfs receive $A/d2 && zfs send $A/d@one | zfs receive $A/d2", "does not exist yet" },
            { "zfs send -i $A/d@three $A/d@one", "backup-full" },
            { "zfs create $A/busy && cd /$A/busy && zfs unmount $A/busy", "The dataset is in use" },
            { "zfs hold keep $A/d@one && zfs destroy $A/d@one; e=$?; zfs release keep $A/d@one; exit $e", "zfs holds" },
            { "zfs clone $A/d@one $A/clone && zfs destroy $A/d@one; e=$?; zfs destroy $A/clone; exit $e", "promote" },
            { "zfs destroy $A/d", "name them" },
            { "zfs list nosuchpool/x", "Check the name" },
            { "zfs snapshot nosuchpool/x@y", "Check the name" },
            { "zfs snapshot $A/d@one", "another name" },
            { "zfs create -o quota=1M $A/q; zfs send $A/big@one | zfs receive $A/q/big", "zfs get -r quota" },
            {
                $"echo 'a long passphrase' | zfs create {Passphrase.Options} $A/e && zfs snapshot "
                    + "$A/e@one && zfs unmount $A/e && zfs unload-key $A/e && zfs send $A/e@one",
                "zfs load-key"
            },
            {
                $"echo 'a long passphrase' | zfs create {Passphrase.Options} $A/e2 && zfs snapshot "
                    + "$A/e2@1 && zfs send -w $A/e2@1 | zfs receive -u $A/f2 && zfs snapshot $A/e2@2 && zfs send -i @1 "
                    + "$A/e2@2 | zfs receive -u $A/f2",
                "zfs load-key"
            },
            {
                $"echo 'a long passphrase' | zfs create {Passphrase.Options} $A/e3 && zfs snapshot "
                    + "$A/e3@1 && zfs snapshot $A/e3@2 && zfs snapshot $A/e3@3 && zfs send -w $A/e3@1 | zfs receive -u "
                    + "$A/f3 && echo 'a long passphrase' | zfs load-key $A/f3 && zfs send -i @1 $A/e3@2 | zfs receive "
                    + "-u $A/f3; zfs send -w -i @2 $A/e3@3 | zfs receive -u $A/f3",
                "Raw streams can only follow"
            },
            {
                "zfs send $A/d@one | zfs receive $A/p; zfs send -i $A/d@one $A/d@two | head -c 3000 | zfs receive -s "
                    + "$A/p 2>/dev/null; zfs send -i $A/d@one $A/d@two | zfs receive -s $A/p",
                "zfs receive -A"
            },
            { "zfs send $A/d@three | sed '100,200s/file/f1le/' | zfs receive $A/broken", "damaged on its way" },
            { "setpriv --reuid=65534 --clear-groups zfs snapshot $A/d@four", "'doctor' prints" },
            { "zfs create -V 100T $A/toolarge", "Free space" },
        };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Errors_of_ZFS_are_explained(string line, string remedy)
    {
        var name = await area.CreateAsync();

        var result = await host.RunAsync($"A={name}; exec 3>&1 >/dev/null; export LC_ALL=C; {line}");

        Assert.NotEqual(0, result.ExitCode);
        var known = ZfsRemedies.Find(result.Error);
        Assert.True(
            known is not null && remedy.Split('|').Any(words => known.Contains(words, StringComparison.Ordinal)),
            $"{result.Error} -> {known}"
        );
    }

    /// <summary>
    /// No current ZFS makes such a stream. An old one did, whose snapshots had no sets of initialization vectors.
    /// </summary>
    [Fact]
    public async Task A_raw_incremental_of_an_old_ZFS_is_explained()
    {
        await host.StartAsync();
        var own = $"{host.Pool}/t{Guid.NewGuid().ToString("N")[..8]}";
        await host.OutputAsync(
            $"zfs create {own} && echo 'a long passphrase' | zfs create {Passphrase.Options} "
                + $"{own}/e && zfs snapshot {own}/e@1 && zfs send -w {own}/e@1 | zfs receive -u {own}/f && zfs "
                + $"snapshot {own}/e@2"
        );
        try
        {
            var stream = Convert.FromBase64String(await host.OutputAsync($"zfs send -w -i @1 {own}/e@2 | base64 -w0"));

            var result = await host.RunAsync(
                $"export LC_ALL=C; zfs receive -u {own}/f",
                await WithoutIvSetAsync(stream)
            );

            Assert.NotEqual(0, result.ExitCode);
            Assert.Contains("IV set guid missing", result.Error, StringComparison.Ordinal);
            Assert.Contains("errata 4", ZfsRemedies.Find(result.Error), StringComparison.Ordinal);
            // Unchanged, it is accepted.
            await host.OutputAsync($"zfs send -w -i @1 {own}/e@2 | zfs receive -u {own}/f");
        }
        finally
        {
            await host.RunAsync($"zfs destroy -R {own}");
        }
    }

    [Fact]
    public async Task A_pool_that_lost_its_disk_is_explained_and_returns()
    {
        await host.StartAsync();
        var pool = $"lost{Guid.NewGuid().ToString("N")[..6]}";
        var folder = $"/tmp/{pool}";
        await host.OutputAsync(
            $"mkdir {folder} && mount -t tmpfs -o size=80M none {folder} && truncate -s 200M {folder}/disk && zpool "
                + $"create -O compression=off -m none {pool} {folder}/disk && zfs create -o "
                + $"mountpoint={folder}-files {pool}/d"
        );
        try
        {
            // The disk has no more room than the memory file system that it is on: writes fail.
            await host.RunAsync(
                $"(dd if=/dev/urandom of={folder}-files/random bs=1M count=150 2>/dev/null; sync -f {folder}-files) "
                    + ">/dev/null 2>&1 </dev/null &"
            );
            await host.WaitForAsync("the pool is suspended", $"zpool list -H -o health {pool} | grep -q SUSPENDED");
            var result = await host.RunAsync($"timeout 20 zfs snapshot {pool}/d@one");

            Assert.Contains("zpool clear", ZfsRemedies.Find(result.Error) ?? result.Error, StringComparison.Ordinal);
        }
        finally
        {
            await host.RunAsync(
                $"mount -o remount,size=300M {folder}; zpool clear {pool}; zpool destroy -f {pool}; umount {folder}; "
                    + $"rmdir {folder} {folder}-files"
            );
        }
    }

    /// <summary>The stream without the set of initialization vectors that its BEGIN names as its base.</summary>
    private static async Task<byte[]> WithoutIvSetAsync(byte[] stream)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new SendStreamWriter(output);
        using var reader = new SendStreamReader(new MemoryStream(stream));
        while (await reader.ReadRecordAsync(TestContext.Current.CancellationToken))
        {
            if (reader.Current.Type != RecordType.Begin)
            {
                writer.WriteHeader(reader.Current);
                while (await reader.ReadPayloadAsync(TestContext.Current.CancellationToken) is { IsEmpty: false } slice)
                    writer.WritePayload(slice.Span);
                continue;
            }

            var begin = new EditableRecord().Load(reader.Current);
            await reader.SkipPayloadAsync(TestContext.Current.CancellationToken);
            var (facts, list) = (reader.Parser.Begin!, reader.Parser.BeginPayload!);
            var payload = list.With(
                    NvPair.Of("crypt_keydata", list.GetList("crypt_keydata")!.Without("from_ivset_guid"))
                )
                .Pack();
            var data = new BeginRecordData
            {
                BaseGuid = facts.BaseGuid,
                Features = facts.Features,
                Flags = facts.Flags,
                PayloadLength = payload.Length,
            };
            writer.WriteHeader(begin.SetBegin(data).Header);
            writer.WritePayload(payload);
        }

        return output.WrittenSpan.ToArray();
    }
}
