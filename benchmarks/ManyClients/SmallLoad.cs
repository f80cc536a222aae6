using ZfsSnapshotManager.StreamBenchmark;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.ManyClients;

/// <summary>Sends a full backup and many small incrementals, one after the other.</summary>
internal sealed class SmallLoad(HttpClient http, string[] credentials) : ILoad
{
    private const int BlockSize = 4 << 10;
    private const int Size = 100_000;

    private readonly BackupSender _sender = new(http, credentials);
    private readonly List<CutParts> _backups = [];

    public void Prepare(int amount)
    {
        for (var guid = 1UL; guid <= (ulong)amount; guid++)
            _backups.Add(Parts.Cut(SyntheticStream.Make(BlockSize, Size, guid, guid - 1)));
    }

    public async Task RunAsync()
    {
        foreach (var backup in _backups)
            await _sender.SendAsync(backup);
    }
}
