using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.ManyClients;

/// <summary>Sends one full backup.</summary>
internal sealed class BackupLoad(HttpClient http, string[] credentials) : ILoad
{
    private readonly BackupSender _sender = new(http, credentials);
    private CutParts? _backup;

    public void Prepare(int amount) => _backup = Parts.Full(amount);

    public Task RunAsync() => _sender.SendAsync(_backup!);
}
