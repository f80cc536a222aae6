using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Core.Rotation;

/// <summary>
/// Decides which snapshots and bookmarks of a dataset stay on its machine: the newest of each class. What this tool did
/// not make always stays, and so does what it made for another server or client, which has a policy of its own. Decided
/// from lists alone, without I/O.
/// </summary>
public sealed class LocalRotation
{
    /// <summary>
    /// A backup starts from the newest bookmark whose snapshot the server has; older ones are needed only if the newest
    /// backups are lost.
    /// </summary>
    public const int MostBookmarks = 100;

    private readonly RotationPolicy _policy;

    /// <summary>Whether the server could not be asked.</summary>
    private readonly bool _isAlone;
    private readonly int? _keepManual;
    private readonly IReadOnlySet<SnapshotGuid> _onServer;
    private readonly IReadOnlyCollection<MarkOwner> _owners;

    /// <summary>Snapshots and bookmarks, the newest first.</summary>
    private readonly List<LocalSnapshot> _newestFirst;

    /// <summary>For each snapshot that has a class, how many of its class are newer.</summary>
    private readonly Dictionary<LocalSnapshot, int> _newerOfClass;

    /// <summary>For each snapshot of <c>backup</c> that the server has, how many of them are newer.</summary>
    private readonly Dictionary<LocalSnapshot, int> _newerManual;

    /// <summary>For each own bookmark, how many of them are newer.</summary>
    private readonly Dictionary<LocalSnapshot, int> _newerBookmarks;

    /// <summary>
    /// What the next incremental backup starts from, in whichever storage it is; empty if no snapshot is known to be on
    /// the server.
    /// </summary>
    private readonly HashSet<SnapshotGuid> _bases;

    /// <summary>
    /// The newest bookmark stays whatever the server says: it may have lost its newest backups for a while (an old
    /// catalogue that is being rebuilt), or lie.
    /// </summary>
    private readonly LocalSnapshot? _newestBookmark;

    private LocalRotation(
        IReadOnlyCollection<LocalSnapshot> local,
        RotationPolicy policy,
        IReadOnlySet<SnapshotGuid>? onServer,
        IReadOnlyCollection<MarkOwner> owners,
        int? keepManual,
        IEnumerable<SnapshotGuid> bases
    )
    {
        _policy = policy;
        _isAlone = onServer is null;
        _keepManual = keepManual;
        _onServer = onServer ?? new HashSet<SnapshotGuid>();
        _owners = owners;
        _newestFirst =
        [
            .. local
                .OrderByDescending(snapshot => snapshot.CreateTxg)
                .ThenBy(snapshot => snapshot.Name.ToString(), StringComparer.Ordinal),
        ];
        _bases = [.. bases];
        if (_newestFirst.Find(snapshot => _onServer.Contains(snapshot.Guid)) is { } newest)
            _bases.Add(newest.Guid);
        _newestBookmark = _newestFirst.Find(IsOwnBookmark);
        _newerOfClass = [];
        foreach (var ofClass in _newestFirst.Where(HasClass).GroupBy(snapshot => snapshot.Type))
        {
            foreach (var (index, snapshot) in ofClass.Index())
                _newerOfClass.Add(snapshot, index);
        }

        _newerManual = _newestFirst
            .Where(IsOfBackup)
            .Index()
            .ToDictionary(manual => manual.Item, manual => manual.Index);
        _newerBookmarks = _newestFirst
            .Where(IsOwnBookmark)
            .Index()
            .ToDictionary(bookmark => bookmark.Item, bookmark => bookmark.Index);
    }

    /// <param name="local">Snapshots and bookmarks of one dataset.</param>
    /// <param name="policy">How many of each class stay.</param>
    /// <param name="onServer">Snapshots of which the server has a restorable backup; null if it could not be asked:
    /// then only snapshots go that were never sent, which no backup can need.</param>
    /// <param name="owners">Whose policy it is: the client on the server, by all names that it has in marks.</param>
    /// <param name="keepManual">How many snapshots of <c>backup</c> stay; null: all.</param>
    /// <param name="bases">What the next incremental in each storage starts from (<see cref="NextBases"/>).</param>
    /// <returns>One decision for each, the newest first.</returns>
    public static IReadOnlyList<RotationDecision<LocalSnapshot>> Plan(
        IReadOnlyCollection<LocalSnapshot> local,
        RotationPolicy policy,
        IReadOnlySet<SnapshotGuid>? onServer,
        IReadOnlyCollection<MarkOwner> owners,
        int? keepManual = null,
        IEnumerable<SnapshotGuid>? bases = null
    )
    {
        var rotation = new LocalRotation(local, policy, onServer, owners, keepManual, bases ?? []);
        return
        [
            .. rotation._newestFirst.Select(snapshot =>
                snapshot.Name.IsBookmark ? rotation.DecideBookmark(snapshot) : rotation.DecideSnapshot(snapshot)
            ),
        ];
    }

    private bool HasClass(LocalSnapshot snapshot) =>
        !snapshot.Name.IsBookmark && snapshot.Type is not (null or SnapshotType.Manual) && !IsOfAnother(snapshot);

    /// <summary>
    /// Snapshots that were not sent have no owner, and all policies apply to them. What the server has of this client
    /// is its own, whatever the mark says: it may be of an earlier version, or of a catalogue that was lost.
    /// </summary>
    private bool IsOfAnother(LocalSnapshot snapshot) =>
        snapshot.Upload?.Owner is { } owner && !_owners.Contains(owner) && !_onServer.Contains(snapshot.Guid);

    private RotationDecision<LocalSnapshot> DecideSnapshot(LocalSnapshot snapshot)
    {
        if (snapshot.Upload is null && snapshot.Type is null)
            return Keep(snapshot, "this tool did not make it");
        if (_isAlone && snapshot.Upload is { Owner: not null } sent)
            return Keep(
                snapshot,
                $"it was sent ({sent.Owner}), and the server could not be asked whether a backup needs it"
            );
        if (IsOfAnother(snapshot))
            return Keep(snapshot, $"it was made for another server or client ({snapshot.Upload!.Owner})");
        if (_newerManual.TryGetValue(snapshot, out var newerManual))
            return DecideManual(snapshot, newerManual);
        if (!_newerOfClass.TryGetValue(snapshot, out var newer))
            return Keep(snapshot, "it has no class");
        var type = snapshot.Type!.Value;
        var count = _policy.Keep(type);
        if (newer == 0)
            return Keep(snapshot, $"the newest {type.ToText()} snapshot");
        if (newer < count)
            return Keep(snapshot, $"{type.ToText()} {newer + 1} of {count}");
        if (snapshot.Upload is { IsPending: true })
            return Keep(snapshot, "it is waiting for its upload");
        if (snapshot.IsHeld)
            return Keep(snapshot, "somebody holds it (zfs holds)");
        if (_isAlone && snapshot.Upload is not null)
            return Keep(snapshot, "the server could not be asked whether a backup needs it");
        return _bases.Contains(snapshot.Guid)
            ? Keep(snapshot, "the next incremental backup starts from it")
            : Destroy(snapshot, $"{count} newer {type.ToText()} snapshots exist");
    }

    /// <summary>
    /// A snapshot that <c>backup</c> made and the server acknowledged, certainly for this client: its mark has the
    /// client's name, or the server has it.
    /// </summary>
    private bool IsOfBackup(LocalSnapshot snapshot) =>
        !snapshot.Name.IsBookmark
        && snapshot is { Type: SnapshotType.Manual, Upload: { IsPending: false } mark }
        && !IsOfAnother(snapshot)
        && (mark.Owner is not null || _onServer.Contains(snapshot.Guid));

    private RotationDecision<LocalSnapshot> DecideManual(LocalSnapshot snapshot, int newer)
    {
        if (_keepManual is not { } count)
            return Keep(snapshot, "it has no class");
        if (newer < count)
            return Keep(snapshot, $"manual {newer + 1} of {count}");
        if (_bases.Count == 0)
            return Keep(snapshot, "it may be needed: no snapshot is known to be on the server");
        if (_bases.Contains(snapshot.Guid))
            return Keep(snapshot, "the next incremental backup starts from it");
        return snapshot.IsHeld
            ? Keep(snapshot, "somebody holds it (zfs holds)")
            : Destroy(snapshot, $"{newer} newer snapshots of backups exist (KEEP_MANUAL={count})");
    }

    private RotationDecision<LocalSnapshot> DecideBookmark(LocalSnapshot bookmark)
    {
        if (!IsOwnBookmark(bookmark))
            return Keep(bookmark, "this tool did not make it, or made it for another server or client");
        if (_bases.Count == 0)
            return Keep(bookmark, "it may be needed: no snapshot is known to be on the server");
        if (_bases.Contains(bookmark.Guid))
            return Keep(bookmark, "the next incremental backup starts from it");
        if (bookmark == _newestBookmark)
            return Keep(bookmark, "the newest bookmark");
        if (_newerBookmarks[bookmark] >= MostBookmarks)
            return Destroy(bookmark, $"{MostBookmarks} newer bookmarks exist");
        return _onServer.Contains(bookmark.Guid)
            ? Keep(bookmark, "the server has its snapshot")
            : Destroy(bookmark, "the server no longer has its snapshot");
    }

    private bool IsOwnBookmark(LocalSnapshot bookmark) =>
        bookmark.Name.IsBookmark && _owners.Any(owner => owner.OwnsBookmark(bookmark.Name));

    private static RotationDecision<LocalSnapshot> Keep(LocalSnapshot snapshot, string reason) =>
        new(snapshot, true, reason);

    private static RotationDecision<LocalSnapshot> Destroy(LocalSnapshot snapshot, string reason) =>
        new(snapshot, false, reason);
}
