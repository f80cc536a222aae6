namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// One server for all tests of a class, which run one after another; each adds clients of its own to it.
/// </summary>
public sealed class SharedServer : IAsyncLifetime
{
    private int _clients;

    internal ServerProcess Process { get; private set; } = null!;

    /// <summary>
    /// Tests show more wrong keys in a minute than a server takes; those of that limit have servers of their own.
    /// </summary>
    public async ValueTask InitializeAsync() =>
        Process = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["AUTH_FAILURES_PER_MINUTE"] = "0" }
        );

    public ValueTask DisposeAsync() => Process.DisposeAsync();

    /// <summary>A client that nobody else is.</summary>
    internal Task<Uploader> NewClientAsync() =>
        Uploader.CreateAsync(Process, $"client{Interlocked.Increment(ref _clients)}");
}
