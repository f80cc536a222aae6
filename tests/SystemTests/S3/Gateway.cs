using System.Diagnostics;
using System.Globalization;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>A radosgw beside the one that the other tests use, to freeze and to kill.</summary>
internal sealed class Gateway : IAsyncDisposable
{
    private readonly S3Server _s3;
    private readonly int _port = ServerProcess.FreePort();
    private Process? _process;

    private Gateway(S3Server s3) => _s3 = s3;

    public string Endpoint => $"127.0.0.1:{_port}";

    public static async Task<Gateway> StartAsync(S3Server s3)
    {
        var gateway = new Gateway(s3);
        await gateway.StartAgainAsync();
        return gateway;
    }

    public async Task StartAgainAsync()
    {
        _process = _s3.StartGateway(_port);
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        using var http = new HttpClient();
        await Patience.UntilAsync("the gateway answers", async () =>
        {
            try
            {
                using var answer = await http.GetAsync($"http://{Endpoint}/", TestContext.Current.CancellationToken);
                return true;
            }
            catch (Exception e) when (BrokenConnection.Is(e) && !_process.HasExited)
            {
                return false;
            }
        });
    }

    public async Task SignalAsync(string name) =>
        (
            await Command.RunAsync("kill", [$"-{name}", _process!.Id.ToString(CultureInfo.InvariantCulture)])
        ).MustSucceed();

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is null)
            return;
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
