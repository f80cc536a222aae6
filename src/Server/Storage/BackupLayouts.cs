using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The layouts of the backups that were read last. Without them, each range of a backup would cost reading and parsing
/// its manifest and finding its objects. The latest layout always stays, others while their parts are few enough in
/// total.
/// </summary>
internal sealed class BackupLayouts
{
    /// <summary>2.5 MiB of layouts: backups of 1 TiB in parts of 16 MiB.</summary>
    private const int MaxParts = 65_536;

    private readonly Lock _lock = new();

    // The most recently read one first.
    private readonly LinkedList<(BackupName Name, BackupLayout Layout)> _layouts = new();

    /// <param name="backup">As it is listed now: a backup that is no longer listed cannot be requested.</param>
    /// <returns>Null if it is not kept here.</returns>
    public BackupLayout? Find(SnapshotInfo backup)
    {
        var name = BackupName.Of(backup);
        lock (_lock)
        {
            for (var node = _layouts.First; node is not null; node = node.Next)
            {
                if (node.Value.Name != name)
                    continue;
                _layouts.Remove(node);
                _layouts.AddFirst(node);
                return node.Value.Layout;
            }
        }

        return null;
    }

    public void Add(SnapshotInfo backup, BackupLayout layout)
    {
        lock (_lock)
        {
            Remove(backup); // several requests may have read it at the same time
            _layouts.AddFirst((BackupName.Of(backup), layout));
            var parts = _layouts.Sum(known => known.Layout.PartCount);
            while (_layouts is { Count: > 1, Last: { } last } && parts > MaxParts)
            {
                parts -= last.Value.Layout.PartCount;
                _layouts.RemoveLast();
            }
        }
    }

    /// <summary>Removes a layout that turned out to be wrong.</summary>
    public void Remove(SnapshotInfo backup)
    {
        var name = BackupName.Of(backup);
        lock (_lock)
        {
            for (var node = _layouts.First; node is not null; node = node.Next)
            {
                if (node.Value.Name != name)
                    continue;
                _layouts.Remove(node);
                return;
            }
        }
    }

    /// <summary>
    /// Never the same for two backups: a key may be used again after a deletion, even for the same stream.
    /// </summary>
    private readonly record struct BackupName(string Key, string PartsSha256, DateTimeOffset ReceivedAt)
    {
        public static BackupName Of(SnapshotInfo backup) =>
            new(backup.StorageKey, backup.PartsSha256, backup.ReceivedAt);
    }
}
