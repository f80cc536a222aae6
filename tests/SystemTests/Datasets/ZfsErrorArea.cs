using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Datasets;

/// <summary>What all cases of <see cref="ZfsErrorTests"/> find: d with snapshots one to three, and big@one.</summary>
public sealed class ZfsErrorArea(ZfsHost host) : IAsyncLifetime
{
    private string? _name;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Makes it for the first case that asks.</summary>
    public async Task<string> CreateAsync()
    {
        if (_name is not null)
            return _name;
        await host.StartAsync();
        var name = $"{host.Pool}/t{Guid.NewGuid().ToString("N")[..8]}";
        await host.OutputAsync(
            $"zfs create {name} && zfs create {name}/d && for s in one two three; do yes file $s | head -c 300000 > "
                + $"/{name}/d/$s && zfs snapshot {name}/d@$s; done && zfs create {name}/big && dd if=/dev/urandom "
                + $"of=/{name}/big/random bs=1M count=4 2>/dev/null && zfs snapshot {name}/big@one"
        );
        return _name = name;
    }

    public async ValueTask DisposeAsync()
    {
        if (_name is not null)
            await host.RunAsync($"zfs destroy -R {_name}");
    }
}
