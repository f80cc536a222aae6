using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The layouts of the backups that were read last: who reads a backup by many ranges would have its manifest fetched
/// and parsed, and its objects looked for, each time. The newest one always stays, others as long as there are not too
/// many parts in all.
/// </summary>
internal sealed class BackupLayouts
{
    /// <summary>2.5 MiB of them; backups of a TiB in parts of 16 MiB.</summary>
    private const int MaxParts = 65_536;

    private readonly Lock _lock = new();

    // The one read last is the first.
    private readonly LinkedList<(BackupName Name, BackupLayout Layout)> _layouts = new();

    /// <param name="backup">As it is listed now: what is no longer listed cannot be asked for.</param>
    /// <returns>Null where it is not here.</returns>
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

    /// <summary>Forgets what turned out not to be so any more.</summary>
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
    /// Never the same for two backups: a key may be given again once it is free, also to the same stream.
    /// </summary>
    private readonly record struct BackupName(string Key, string PartsSha256, DateTimeOffset ReceivedAt)
    {
        public static BackupName Of(SnapshotInfo backup) =>
            new(backup.StorageKey, backup.PartsSha256, backup.ReceivedAt);
    }
}
