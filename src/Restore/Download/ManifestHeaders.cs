using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// The manifests that this run fetched last, without their parts: what follows the transfer need not ask the server
/// again, which may be away by then. Not thread-safe.
/// </summary>
internal sealed class ManifestHeaders
{
    /// <summary>Each has some KiB, mostly properties.</summary>
    private const int Limit = 64;

    private readonly Dictionary<string, Manifest> _known = new(StringComparer.Ordinal);
    private readonly Queue<string> _oldestFirst = new();

    public void Add(SnapshotInfo backup, Manifest header)
    {
        if (!_known.TryAdd(backup.SnapshotId, header))
            return;
        _oldestFirst.Enqueue(backup.SnapshotId);
        if (_oldestFirst.Count > Limit)
            _known.Remove(_oldestFirst.Dequeue());
    }

    /// <returns>Null if it must be fetched.</returns>
    public Manifest? Find(SnapshotInfo backup) => _known.GetValueOrDefault(backup.SnapshotId);
}
