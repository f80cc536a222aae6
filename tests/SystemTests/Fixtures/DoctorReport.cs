using System.Text.Json;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>What <c>doctor --json</c> printed.</summary>
internal sealed record DoctorReport(int ExitCode, string Text, IReadOnlyList<DoctorCheck> Checks)
{
    /// <summary>Names of what failed.</summary>
    public IEnumerable<string> Failed => Checks.Where(check => check.Status == "failed").Select(check => check.Name);

    public static DoctorReport Of(CommandResult result)
    {
        var report = CommandJson.Parse(result.Output);
        var checks = report
            .GetProperty("results")
            .EnumerateArray()
            .Select(check => new DoctorCheck(
                check.GetProperty("name").GetString()!,
                check.GetProperty("status").GetString()!,
                check.GetProperty("message").GetString()!,
                check.TryGetProperty("remedy", out var remedy) ? remedy.GetString() : null
            ))
            .ToList();
        Assert.Equal(result.ExitCode == 0, report.GetProperty("success").GetBoolean());
        return new DoctorReport(result.ExitCode, result.Text, checks);
    }

    /// <summary>Runs <c>zfs-server doctor</c> beside a server on this machine.</summary>
    /// <param name="settings">That differ from the server's.</param>
    public static async Task<DoctorReport> RunAsync(
        ServerProcess server,
        params (string Key, string Value)[] settings
    ) => Of(await server.RunWithAsync(settings, "doctor", "--json"));

    public IEnumerable<string> StatusesOf(string name) =>
        Checks.Where(check => check.Name == name).Select(check => check.Status);

    /// <summary>The only check of that name.</summary>
    public DoctorCheck Find(string name) => Assert.Single(Checks, check => check.Name == name);

    /// <summary>The line that root is to run for the only thing that failed.</summary>
    public string Line() => Assert.Single(Checks, check => check.Status == "failed").Remedy!.Split("Let root run: ")[1];
}

internal sealed record DoctorCheck(string Name, string Status, string Message, string? Remedy);
