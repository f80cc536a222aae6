namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// One server for all tests of a class, which run one after another; each adds clients of its own to it.
/// </summary>
public class SharedServer : IAsyncLifetime
{
    private int _clients;

    internal ServerProcess Process { get; private set; } = null!;

    /// <summary>Tests show more wrong keys in a minute than a server takes by default.</summary>
    private protected virtual Dictionary<string, string> Settings =>
        new(StringComparer.Ordinal) { ["AUTH_FAILURES_PER_MINUTE"] = "0" };

    public async ValueTask InitializeAsync() => Process = await ServerProcess.StartAsync(Settings);

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>A client that nobody else is.</summary>
    internal Task<Uploader> NewClientAsync() =>
        Uploader.CreateAsync(Process, $"client{Interlocked.Increment(ref _clients)}");
}

/// <summary>A server that deletes rotated backups without a delay.</summary>
public sealed class ServerWithoutDelay : SharedServer
{
    private protected override Dictionary<string, string> Settings =>
        new(base.Settings, StringComparer.Ordinal) { ["DELETE_DELAY_HOURS"] = "0" };
}
