using System.Globalization;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Backups;

/// <summary>
/// Memory does not grow with the data: a gigabyte needs no more than fifty megabytes. On the stand-in for <c>zfs</c>.
/// </summary>
public sealed class ClientMemoryTests
{
    /// <summary>For buffers that fifty megabytes do not all fill, and for a garbage collector that was late.</summary>
    private const long Allowance = 24 << 20;

    [Fact]
    public async Task Client_and_restore_use_as_much_memory_for_a_gigabyte_as_for_fifty_megabytes()
    {
        // Small parts: with large ones, how many are full of what the client compressed would be what is measured.
        await using var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["PART_SIZE_MIB"] = "1" }
        );
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "small", "large");
        // The client compresses it to a quarter; of both there are more parts than are fetched at once.
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
        Assert.InRange(large, 4 << 20, small + Allowance);
        Assert.InRange(largeRestore, 4 << 20, smallRestore + Allowance);
        Assert.InRange(server.PeakMemory(), 0, 128L << 20);
    }

    private static Task<string> FillAsync(ClientMachine client, string dataset, int megabytes) =>
        client.ShellAsync($"zfs stand-in write-compressible {client.Area}/{dataset} file {megabytes}000000");

    private static async Task<long> PeakOfAsync(ClientMachine client, string program, string arguments) =>
        (await PeakMemory.OfAsync(client, program, arguments)).Peak;
}
