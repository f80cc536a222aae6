using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>A reverse proxy before the server that accepts small bodies only.</summary>
public sealed class ProxyLimitTests
{
    /// <summary>nginx accepts bodies of 1 MiB by default, which lets every request through but the parts.</summary>
    [Fact]
    public async Task Doctor_finds_a_proxy_that_refuses_parts_before_the_first_backup_does()
    {
        await using var server = await ServerProcess.StartAsync();
        await using var client = await ClientMachine.CreateAsync(new StandInHost(), server, "data");
        await using var proxy = new FaultProxy($"127.0.0.1:{server.Port}");
        proxy.Add(Fault.TooLarge, request => request.BodyLength > 1 << 20, times: int.MaxValue);

        var doctor = await client.RunAsync($"SERVER_URL=http://{proxy.Endpoint} zfs-client doctor");

        Assert.True(doctor.ExitCode == 11, doctor.Text);
        Assert.Matches("failed +server: .*too large", doctor.Output);
        Assert.Contains("client_max_body_size", doctor.Output, StringComparison.Ordinal);
    }
}
