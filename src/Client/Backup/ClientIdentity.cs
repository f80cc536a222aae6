using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>Who this run is: what it may touch is decided by comparison with it.</summary>
/// <param name="Owner">The client and the server, as in new marks.</param>
/// <param name="OlderOwner">The same, as in marks that were made before the server told its id.</param>
/// <param name="Machine">The machine that the datasets are on.</param>
/// <param name="Run">This run, and the machine that it runs on.</param>
/// <param name="TakesOver">Whether this machine replaces another one, whose runs are over for good.</param>
internal sealed record ClientIdentity(
    MarkOwner Owner,
    MarkOwner OlderOwner,
    Machine Machine,
    RunId Run,
    bool TakesOver = false
)
{
    /// <summary>This process is one run.</summary>
    private static readonly RunId ThisRun = RunId.Create(Machine.Local);

    /// <param name="serverId">What the server says its id is; null if it does not say.</param>
    /// <param name="machine">The machine that the datasets are on.</param>
    public static ClientIdentity Of(ServerConnection server, string? serverId, Machine machine) =>
        new(
            MarkOwner.Of(serverId, server.ServerUrl, server.ClientId),
            MarkOwner.OfOlderServer(server.ServerUrl, server.ClientId),
            machine,
            ThisRun
        );

    /// <summary>The mark of snapshots that this run makes.</summary>
    public UploadMark Pending => UploadMark.Pending(Owner, Run);

    public UploadMark Committed => UploadMark.Committed(Owner);

    /// <summary>The names that this client has in marks.</summary>
    public IReadOnlyList<MarkOwner> Owners => [Owner, OlderOwner];

    public bool Owns(UploadMark mark) => mark.Owner is { } owner && Owners.Contains(owner);

    /// <summary>
    /// Whether the run that made a pending mark is over, unless the server says that it still sends. The lock of a
    /// dataset proves it for runs on this host. Marks without a run are older than the knowledge of hosts.
    /// </summary>
    public bool MayEnd(UploadMark mark) => TakesOver || mark.Run is not { } run || run.Host == Run.Host;

    /// <param name="upload">An open upload.</param>
    /// <param name="local">The snapshots and bookmarks of its dataset.</param>
    public bool IsOfThisMachine(UploadInfo upload, IReadOnlyCollection<LocalSnapshot> local) =>
        TakesOver || OtherMachine.Made(Machine, upload.MachineId, upload.MachineName, upload.SnapshotGuid, local);
}
