using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.ZfsStorage;

/// <summary>A dataset that the server received: a chain of one source dataset's snapshots.</summary>
/// <param name="Name">Its name on this server.</param>
/// <param name="ClientId">Whose it is.</param>
/// <param name="Source">The dataset that it was sent from.</param>
/// <param name="Token">Where an interrupted receive goes on; null where there is none.</param>
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
/// <param name="Guid">That of the snapshot it was sent from.</param>
/// <param name="CreateTxg">Orders a pool's snapshots truly.</param>
/// <param name="Holds">How many <c>zfs hold</c> keep it.</param>
/// <param name="Clones">Datasets that were cloned from it, as ZFS lists them; empty where there are none.</param>
/// <param name="Written">Bytes that it has and the one before it had not.</param>
/// <param name="Note">A <see cref="SnapshotNote"/> as JSON; null where it has none, as what others made.</param>
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
    /// <summary>Why ZFS would not destroy it; null where it would.</summary>
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
