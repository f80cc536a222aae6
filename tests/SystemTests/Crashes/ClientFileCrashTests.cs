using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>clients.json is the old or the new one at any moment, never a broken one.</summary>
public sealed class ClientFileCrashTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_crash_at_any_call_of_client_add_leaves_the_old_file_or_the_new_one(bool power)
    {
        var folder = Repository.NewFolder("clients");
        (await AddAsync(folder, "old")).MustSucceed();
        var old = await File.ReadAllBytesAsync(FileIn(folder), TestContext.Current.CancellationToken);
        await ResetAsync(folder, old);
        var calls = await RecordAsync(folder);
        CrashSweep.Print($"{calls.Count} calls");

        List<string> faults = [];
        foreach (var point in CrashSweep.AllPointsOf(calls))
        {
            try
            {
                await ResetAsync(folder, old);
                await CheckAsync(folder, point, power, old);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                faults.Add($"{point} ({calls[point.Call - 1]}): {e.Message}");
            }
        }

        Assert.True(faults.Count == 0, string.Join('\n', faults));
        Directory.Delete(folder, recursive: true);
    }

    private static async Task ResetAsync(string folder, byte[] old)
    {
        foreach (var file in Directory.GetFiles(Path.GetDirectoryName(FileIn(folder))!))
            File.Delete(file);
        await File.WriteAllBytesAsync(FileIn(folder), old);
    }

    private static async Task CheckAsync(string folder, CrashPoint point, bool power, byte[] old)
    {
        var log = Path.Combine(folder, "calls");
        var added = await AddAsync(folder, "new", await CrashLibrary.SettingsAsync(point, folder, log));
        Assert.Equal(137, added.ExitCode);
        Assert.Equal("", added.Output); // no key is printed that is not stored
        if (power)
            PowerCut.Apply(CountedCall.ReadLog(log), PowerCutLoss.Everything);

        string[] clients = await ListAsync(folder);
        Assert.True(clients is ["old"] or ["old", "new"], $"clients: {string.Join(' ', clients)}");
        if (clients.Length == 1)
            Assert.Equal(old, await File.ReadAllBytesAsync(FileIn(folder)));

        var again = await AddAsync(folder, "new");
        Assert.Equal(clients.Length == 1 ? (int)ExitCode.Success : (int)ExitCode.Conflict, again.ExitCode);
        Assert.Equal(["old", "new"], await ListAsync(folder));
        var files = Directory
            .GetFiles(Path.GetDirectoryName(FileIn(folder))!)
            .Select(Path.GetFileName)
            .Where(name => !name!.StartsWith("audit.log", StringComparison.Ordinal));
        Assert.Equal(["clients.json", "clients.json.lock"], files.Order(StringComparer.Ordinal));
    }

    private static async Task<IReadOnlyList<CountedCall>> RecordAsync(string folder)
    {
        var log = Path.Combine(folder, "calls");
        (await AddAsync(folder, "new", await CrashLibrary.SettingsAsync(CrashPoint.None, folder, log))).MustSucceed();
        return CountedCall.ReadLog(log);
    }

    private static string FileIn(string folder) => Path.Combine(folder, "zfs-server-data", "clients.json");

    private static Task<CommandResult> AddAsync(
        string folder,
        string id,
        IReadOnlyDictionary<string, string>? settings = null
    ) => Command.RunAsync(Repository.Program("zfs-server"), ["client", "add", id], folder, settings);

    private static async Task<string[]> ListAsync(string folder)
    {
        var listed = (
            await Command.RunAsync(Repository.Program("zfs-server"), ["client", "list", "--json"], folder)
        ).MustSucceed();
        return [.. CommandJson.Results(listed.Output).Select(client => client.GetProperty("client_id").GetString()!)];
    }
}
