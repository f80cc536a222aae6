using System.Globalization;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>Memory does not grow with the data: a gigabyte takes no more than fifty megabytes do.</summary>
[Collection("zfs")]
public sealed class ClientMemoryTests(ZfsHost host)
{
    private const long Allowance = 16 << 20;

    [Fact]
    public async Task Client_and_restore_use_as_much_memory_for_a_gigabyte_as_for_fifty_megabytes()
    {
        // Small parts: with large ones, how many are full of what the client compressed would be what is measured.
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = "1" }
        );
        await using var client = await ClientMachine.CreateAsync(host, server, "small", "large");
        // Compressed on disk and by the client, so that a gigabyte of stream fits into the pool and into the time; of
        // both there are more parts than are fetched at once.
        await FillAsync(client, "small", 50);
        await FillAsync(client, "large", 1000);

        var small = await PeakOfAsync(client, "zfs-client", $"backup --dataset {client.Area}/small");
        var large = await PeakOfAsync(client, "zfs-client", $"backup --dataset {client.Area}/large");
        var smallRestore = await PeakOfAsync(
            client,
            "zfs-restore",
            $"latest {client.Area}/restored --source {client.Area}/small"
        );
        var largeRestore = await PeakOfAsync(
            client,
            "zfs-restore",
            $"latest {client.Area}/restored --source {client.Area}/large --force"
        );

        var figures = string.Create(
            CultureInfo.InvariantCulture,
            $"peak memory in MB, 50 MB and 1 GB: client {small / 1e6:0.0} {large / 1e6:0.0}, restore "
                + $"{smallRestore / 1e6:0.0} {largeRestore / 1e6:0.0}, server {server.PeakMemory() / 1e6:0.0}"
        );
        TestContext.Current.TestOutputHelper!.WriteLine(figures);
        Console.WriteLine(figures);
        var backups = await client.ListBackupsAsync();
        Assert.InRange(backups[0].GetProperty("stream_bytes").GetInt64(), 1_000_000_000, 1_200_000_000);
        Assert.InRange(small, 4 << 20, 128 << 20); // less would mean that something else was measured
        Assert.InRange(smallRestore, 4 << 20, 128 << 20);
        Assert.InRange(large, 0, small + Allowance);
        Assert.InRange(largeRestore, 0, smallRestore + Allowance);
        Assert.InRange(server.PeakMemory(), 0, 128L << 20);
    }

    private static Task<string> FillAsync(ClientMachine client, string dataset, int megabytes) =>
        client.ShellAsync(
            $"zfs set compression=lz4 {client.Area}/{dataset} && for i in $(seq {megabytes / 10}); do yes "
                + $"0123456789abcdef | head -c 9M; head -c 1M /dev/urandom; done > /{client.Area}/{dataset}/file && "
                + "sync"
        );

    /// <summary>Runs a program and watches the kernel's own count of its peak (VmHWM) until it ends.</summary>
    private static async Task<long> PeakOfAsync(ClientMachine client, string program, string arguments)
    {
        // "true;" so that only the program itself is in the background, and $! is its id.
        var line =
            $"true; {program} {arguments} >out 2>&1 & pid=$!; while grep VmHWM /proc/$pid/status 2>/dev/null; do "
            + "sleep 0.2; done; wait $pid || { cat out; exit 1; }";
        var result = (await client.RunAsync(line)).MustSucceed();
        return ProcessMemory.Parse(result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);
    }
}
