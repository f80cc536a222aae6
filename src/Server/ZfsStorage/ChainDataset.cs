using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>A received dataset: a chain of snapshots of one source dataset.</summary>
/// <param name="Name">Its name on this server.</param>
/// <param name="ClientId">The client that it belongs to.</param>
/// <param name="Source">The dataset from which it was sent.</param>
/// <param name="Token">The resume token of an interrupted receive; null if none is pending.</param>
/// <param name="Snapshots">Oldest first, by transaction group.</param>
internal sealed record ChainDataset(
    DatasetName Name,
    string ClientId,
    string Source,
    string? Token,
    IReadOnlyList<ReceivedSnapshot> Snapshots
)
{
    /// <summary>The only one on which ZFS receives an incremental.</summary>
    public ReceivedSnapshot? Newest => Snapshots.Count == 0 ? null : Snapshots[^1];
}

/// <summary>One of its snapshots.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Guid">GUID, the same as on the client.</param>
/// <param name="CreateTxg">Orders the snapshots of a pool reliably; clocks do not.</param>
/// <param name="Holds">Number of holds (<c>zfs hold</c>).</param>
/// <param name="Clones">Datasets that were cloned from it, as ZFS lists them; empty if none.</param>
/// <param name="Written">Bytes written since the snapshot before it.</param>
/// <param name="Note">A <see cref="SnapshotNote"/> as JSON; null if it has none, like snapshots that others
/// made.</param>
internal sealed record ReceivedSnapshot(
    SnapshotName Name,
    SnapshotGuid Guid,
    ulong CreateTxg,
    int Holds,
    string Clones,
    long Written,
    string? Note
)
{
    /// <summary>Why ZFS would refuse to destroy it; null if it would not.</summary>
    public string? Obstacle
    {
        get
        {
            if (Holds > 0)
                return "somebody holds it (zfs holds)";
            return Clones.Length > 0 ? $"it has a clone ({Clones})" : null;
        }
    }
}
