using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Decides which backups can be listed: each only once, and an incremental only if a listed backup has its base and
/// fits. Of two backups that are the same, the one received first is selected.
/// </summary>
internal sealed class ChainSelection
{
    private readonly Dictionary<(string ClientId, ulong Snapshot), List<ListedBackup>> _listed = [];

    // By the base that they wait for.
    private readonly Dictionary<(string ClientId, ulong Snapshot), List<ListedBackup>> _waiting = [];
    private readonly Dictionary<(string, string, ulong, ulong), ListedBackup> _byIdentity = [];
    private readonly Dictionary<string, ListedBackup> _bySnapshotId = new(StringComparer.Ordinal);
    private readonly Queue<ListedBackup> _next = [];
    private readonly List<ListedBackup> _selected = [];
    private readonly List<CatalogueFinding> _leftOut = [];

    private ChainSelection(IEnumerable<ListedBackup> listed)
    {
        foreach (var backup in listed)
            List(backup);
    }

    /// <param name="candidates">Complete backups.</param>
    /// <param name="listed">Backups that are already listed.</param>
    public static (IReadOnlyList<ListedBackup> Selected, IReadOnlyList<CatalogueFinding> LeftOut) Run(
        IEnumerable<ListedBackup> candidates,
        IEnumerable<ListedBackup> listed
    )
    {
        var selection = new ChainSelection(listed);
        foreach (
            var candidate in candidates
                .OrderBy(backup => backup.Info.ReceivedAt)
                .ThenBy(backup => backup.Info.StorageKey, StringComparer.Ordinal)
        )
        {
            selection._next.Enqueue(candidate);
            while (selection._next.TryDequeue(out var backup))
                selection.Consider(backup);
        }

        selection.GiveUpWaiting();
        return (selection._selected, selection._leftOut);
    }

    private static List<ListedBackup> Of(
        Dictionary<(string ClientId, ulong Snapshot), List<ListedBackup>> table,
        string clientId,
        ulong snapshot
    )
    {
        if (table.TryGetValue((clientId, snapshot), out var list))
            return list;
        list = [];
        table.Add((clientId, snapshot), list);
        return list;
    }

    private void Consider(ListedBackup backup)
    {
        if (
            (
                _byIdentity.GetValueOrDefault(backup.Identity)
                ?? _bySnapshotId.GetValueOrDefault(backup.Info.SnapshotId)
            ) is
            { } same
        )
        {
            _leftOut.Add(
                CatalogueFinding.Of(
                    FindingKind.Duplicate,
                    backup.Info.StorageKey,
                    $"It is the same backup, or has the same snapshot id, as {same.Info.StorageKey}, which was "
                        + "received first and is listed. Nothing is lost; delete this one's manifest and then its "
                        + "object if they are not wanted."
                )
            );
            return;
        }

        if (
            backup.Info.FromGuid is { } from
            && !Of(_listed, backup.ClientId, from.Value).Any(known => ChainLink.Fits(known.Info, backup.Info.Features))
        )
        {
            Of(_waiting, backup.ClientId, from.Value).Add(backup);
            return;
        }

        List(backup);
        _selected.Add(backup);
        if (!_waiting.Remove((backup.ClientId, backup.Info.SnapshotGuid.Value), out var waiting))
            return;
        foreach (var next in waiting)
            _next.Enqueue(next);
    }

    private void List(ListedBackup backup)
    {
        _byIdentity[backup.Identity] = backup;
        _bySnapshotId[backup.Info.SnapshotId] = backup;
        Of(_listed, backup.ClientId, backup.Info.SnapshotGuid.Value).Add(backup);
    }

    private void GiveUpWaiting()
    {
        foreach (
            var backup in _waiting
                .Values.SelectMany(waiting => waiting)
                .OrderBy(backup => backup.Info.StorageKey, StringComparer.Ordinal)
        )
        {
            var from = backup.Info.FromGuid!.Value;
            var obstacle = Of(_listed, backup.ClientId, from.Value)
                .Select(known => ChainLink.FindObstacle(known.Info, backup.Info.Features))
                .FirstOrDefault();
            _leftOut.Add(NoBase(backup, obstacle));
        }
    }

    /// <param name="obstacle">Why the listed backups of the base do not fit; null if none is listed.</param>
    public static CatalogueFinding NoBase(ListedBackup backup, string? obstacle)
    {
        var why = obstacle is null
            ? "no backup that is listed holds that one"
            : $"what is listed of that one does not fit: {obstacle}";
        return CatalogueFinding.Of(
            FindingKind.BaseMissing,
            backup.Info.StorageKey,
            $"It builds on the snapshot with GUID {backup.Info.FromGuid}, and {why}. "
                + "Put the base's object and manifest back and run 'zfs-server catalogue rebuild', or send a full "
                + "backup."
        );
    }
}
