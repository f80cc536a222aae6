using System.Globalization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// The dataset that a restore creates. Everything is received under a temporary name beside it and is renamed only when
/// it is complete: the target is never half restored, and with <c>--force</c> the old dataset exists until the new one
/// does.
/// </summary>
internal sealed class RestoreTarget
{
    /// <summary>Marks a dataset that a restore is receiving and may remove.</summary>
    public const string MarkProperty = DatasetLister.RestoreProperty;

    private const string Mark = "partial";

    /// <summary>The <see cref="ChainDigest"/> of the backups that the dataset was received from.</summary>
    private const string ReceivedProperty = "zfs-snapshot-manager:restore-of";

    private readonly ZfsHost _zfs;
    private readonly DatasetReplacement _replacement;

    private RestoreTarget(RestoreSession session, DatasetName name, bool exists)
    {
        _zfs = session.Settings.Zfs;
        (Name, Exists) = (name, exists);
        (Partial, Replaced) = (PartialOf(name), Beside(name, ".replaced"));
        _replacement = new DatasetReplacement(
            _zfs,
            session.Output,
            new ReplacementNames(Name, Partial, Replaced),
            RenameAsync
        );
    }

    public DatasetName Name { get; }

    /// <summary>The name under which streams are received.</summary>
    public DatasetName Partial { get; }

    /// <summary>The name of an existing target between the last stream and its destruction.</summary>
    private DatasetName Replaced { get; }

    private bool Exists { get; }

    /// <summary>
    /// Properties that the dataset has only while it is received. Tools that make automatic snapshots heed
    /// <c>com.sun:auto-snapshot</c>: a snapshot between two streams can prevent the second from being received. A
    /// volume without a device is not opened by udev, LVM or multipath, which could take it for the running original.
    /// </summary>
    private static readonly (string Name, string Value)[] Temporary =
    [
        ("com.sun:auto-snapshot", "false"),
        ("volmode", "none"),
    ];

    /// <summary>
    /// Options of <c>zfs receive</c> for the first stream. A file system is mounted neither now (-u) nor at the next
    /// boot (canmount=noauto): a restored dataset inherits a mountpoint from its parent, and mounted there it could
    /// hide files in use (docs/decisions/0008). Incrementals and resumed receives keep what the first one set.
    /// </summary>
    /// <param name="received">The <see cref="ChainDigest"/> to note.</param>
    /// <param name="isVolume">Volumes have no canmount, and file systems no volmode.</param>
    public static IReadOnlyList<string> CreationOptions(string received, bool isVolume)
    {
        string[] properties =
        [
            $"{MarkProperty}={Mark}",
            $"{ReceivedProperty}={received}",
            RestoreClaim.CreationProperty,
            .. Temporary
                .Where(property => isVolume || property.Name != "volmode")
                .Select(property => $"{property.Name}={property.Value}"),
            isVolume ? "" : "canmount=noauto",
        ];
        return
        [
            .. properties.Where(property => property.Length > 0).SelectMany(property => (string[])["-o", property]),
        ];
    }

    /// <summary>
    /// Completes the work of an earlier run that was killed while it replaced the target. Its restore was complete.
    /// </summary>
    /// <param name="force">Whether an existing dataset may be replaced.</param>
    /// <param name="newest">The newest snapshot of the backup that is asked for now.</param>
    /// <returns>Whether the target is now what is asked for.</returns>
    public static async Task<bool> CompleteInterruptedAsync(
        RestoreSession session,
        DatasetName name,
        bool force,
        SnapshotGuid newest,
        CancellationToken cancellationToken
    )
    {
        var target = new RestoreTarget(session, name, exists: true);
        if (name.IsPool || !await target._replacement.IsInterruptedAsync(cancellationToken))
            return false;
        if (!force)
            throw new OperationException(
                ExitCode.Conflict,
                $"An earlier restore was interrupted while it replaced {name}. The restored dataset is complete.",
                "To finish that, run the command with --force. To go back to the old dataset, destroy or rename "
                    + $"{name} if it exists, and run: zfs rename '{target.Replaced}' '{name}'"
            );
        await target._replacement.CompleteInterruptedAsync(cancellationToken);
        var snapshots = (await ReadAsync(target._zfs, name, cancellationToken)).Snapshots;
        await target.RemoveMarksAsync();
        return snapshots is [.., var last] && last.Guid == newest;
    }

    /// <param name="force">Whether an existing dataset may be replaced.</param>
    /// <param name="members">The datasets that are restored, by their names behind that of the root.</param>
    /// <exception cref="OperationException">The target exists and must not be replaced, or cannot be.</exception>
    public static async Task<RestoreTarget> PrepareAsync(
        RestoreSession session,
        DatasetName name,
        bool force,
        IReadOnlySet<string> members,
        CancellationToken cancellationToken
    )
    {
        if (name.IsPool)
            throw new OperationException(
                ExitCode.Conflict,
                $"{name} is a pool.",
                $"Restore into a dataset below it, such as {name}/restored."
            );
        var zfs = session.Settings.Zfs;
        var exists = await zfs.ExistsAsync(name, cancellationToken);
        if (exists && !force)
            throw new OperationException(
                ExitCode.Conflict,
                $"{name} already exists.",
                "Choose another dataset, or use --force to replace it."
            );
        var target = new RestoreTarget(session, name, exists);
        await target.CheckNothingSetAsideAsync(cancellationToken);
        if (exists)
            await target._replacement.CheckAsync(members, cancellationToken);
        await ReceivingProcess.WaitForEndAsync(zfs, target.Partial, cancellationToken);
        return target;
    }

    /// <summary>The name under which a dataset is received.</summary>
    /// <param name="below">What follows the name, for a descendant; begins with a slash.</param>
    /// <exception cref="OperationException">It is too long.</exception>
    public static DatasetName PartialOf(DatasetName dataset, string below = "") =>
        Beside(dataset, $"{below}.restoring");

    /// <summary>Finds what was received so far, by this run or an earlier one; null if nothing.</summary>
    /// <exception cref="OperationException">A dataset has that name, but was not created by a restore.</exception>
    public async Task<PartialDataset?> FindPartialAsync(CancellationToken cancellationToken)
    {
        if (!await _zfs.ExistsAsync(Partial, cancellationToken))
            return null;
        var partial = await ReadAsync(_zfs, Partial, cancellationToken);
        if (!partial.IsMarked)
            throw new OperationException(
                ExitCode.Conflict,
                $"{Partial} exists, but was not created by a restore.",
                $"Restore to another name, or rename {Partial}: a restore receives under that name."
            );
        return partial;
    }

    /// <summary>Reads what a dataset holds, whoever created it.</summary>
    public static async Task<PartialDataset> ReadAsync(
        ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        var rows = await zfs.RunTableAsync(
            [
                "get",
                "-H",
                "-p",
                "-o",
                "property,value,source",
                $"{MarkProperty},{ReceivedProperty},receive_resume_token,creation",
                dataset.Value,
            ],
            cancellationToken
        );
        // A mark that somebody else wrote may have line breaks or tabs. Then its lines are no rows, and ZFS's own
        // properties are those that come last.
        var values = rows.Where(row => row is [_, _, _])
            .GroupBy(row => row[0], StringComparer.Ordinal)
            .ToDictionary(found => found.Key, found => found.Last(), StringComparer.Ordinal);
        string? Local(string property) =>
            values.TryGetValue(property, out var row) && row[2] == "local" ? row[1] : null;
        var creation = DateTimeOffset.FromUnixTimeSeconds(
            long.Parse(values["creation"][1], CultureInfo.InvariantCulture)
        );
        var token = values["receive_resume_token"][1];
        var snapshots = await zfs.ListSnapshotsAsync(dataset, cancellationToken);
        return new PartialDataset(
            Local(ReceivedProperty),
            [
                .. snapshots
                    .Where(snapshot => !snapshot.Name.IsBookmark)
                    .Select(snapshot => PartialSnapshot.Of(snapshot, creation)),
            ],
            token == "-" ? null : token
        )
        {
            IsMarked = Local(MarkProperty) == Mark,
        };
    }

    /// <summary>
    /// Gives a complete member of a tree, whose chain has become longer, its temporary name back. It is below the
    /// temporary name of the tree's root.
    /// </summary>
    /// <param name="received">The <see cref="ChainDigest"/> of what it holds.</param>
    public static async Task ReopenAsync(
        ZfsHost zfs,
        DatasetName dataset,
        string received,
        CancellationToken cancellationToken
    )
    {
        await zfs.RunAsync(["set", $"{ReceivedProperty}={received}", dataset.Value], cancellationToken);
        await zfs.RunAsync(["set", $"{MarkProperty}={Mark}", dataset.Value], cancellationToken);
        await zfs.RunAsync(["rename", dataset.Value, PartialOf(dataset).Value], cancellationToken);
    }

    /// <summary>Notes on the existing dataset what is received next.</summary>
    public Task NoteAsync(string received, CancellationToken cancellationToken) =>
        _zfs.RunAsync(["set", $"{ReceivedProperty}={received}", Partial.Value], cancellationToken);

    /// <summary>Gives the received dataset its final name. An old dataset of that name is destroyed.</summary>
    /// <param name="restored">Properties that it has from its backup.</param>
    public async Task FinishAsync(IReadOnlyCollection<string> restored, CancellationToken cancellationToken)
    {
        await InheritTemporaryAsync(restored, cancellationToken);
        if (Exists)
            await _replacement.ExchangeAsync(cancellationToken);
        else
            await RenameAsync(Partial, Name, cancellationToken);
        await RemoveMarksAsync();
    }

    /// <summary>Drops the part of a snapshot that was received. The complete snapshots stay.</summary>
    public Task DropPartAsync(CancellationToken cancellationToken) =>
        _zfs.RunAsync(["receive", "-A", Partial.Value], cancellationToken);

    /// <summary>Removes what was received so far.</summary>
    /// <exception cref="OperationException">A dataset has that name, but was not created by a restore.</exception>
    public async Task RemovePartialAsync(CancellationToken cancellationToken)
    {
        if (await FindPartialAsync(cancellationToken) is null)
            return;
        await _zfs.RunAsync(["destroy", "-r", Partial.Value], cancellationToken);
    }

    /// <summary>
    /// Before the dataset has its final name: a run that is killed between the two is repeated, and does both.
    /// </summary>
    private async Task InheritTemporaryAsync(IReadOnlyCollection<string> restored, CancellationToken cancellationToken)
    {
        var names = string.Join(',', Temporary.Select(property => property.Name));
        var rows = await _zfs.RunTableAsync(
            ["get", "-H", "-o", "property,value,source", names, Partial.Value],
            cancellationToken
        );
        foreach (var row in rows)
        {
            if (row is [var name, var value, "local"] && Temporary.Contains((name, value)) && !restored.Contains(name))
                await _zfs.RunAsync(["inherit", name, Partial.Value], cancellationToken);
        }
    }

    /// <summary>The notes of a replacement are last: as long as they exist, the next run repeats all of this.</summary>
    private async Task RemoveMarksAsync()
    {
        await _zfs.RunAsync(["inherit", ReceivedProperty, Name.Value], CancellationToken.None);
        await _zfs.RunAsync(["inherit", RestoreClaim.Property, Name.Value], CancellationToken.None);
        await _zfs.RunAsync(["inherit", MarkProperty, Name.Value], CancellationToken.None);
        if (Exists)
            await _replacement.ClearAsync();
    }

    private static DatasetName Beside(DatasetName name, string suffix) =>
        DatasetName.TryParse(name.Value + suffix, out var beside, out var fault)
            ? beside
            : throw new OperationException(
                ExitCode.Usage,
                $"Cannot restore to {name}: the temporary name {name}{suffix} is not a dataset name: {fault}.",
                "Choose a shorter name."
            );

    /// <summary>
    /// Nothing that is renamed here is mounted, so renaming mounts nothing. A dataset may be in use for a moment: udev
    /// opens new devices of volumes, and other programs look at datasets.
    /// </summary>
    private async Task RenameAsync(DatasetName from, DatasetName to, CancellationToken cancellationToken)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await _zfs.RunAsync(["rename", from.Value, to.Value], cancellationToken);
                return;
            }
            catch (ZfsException e) when (e.IsBusy && TimeProvider.System.GetElapsedTime(start) < ReceiveRetry.Patience)
            {
                await Task.Delay(ReceiveRetry.Pause, cancellationToken);
            }
        }
    }

    /// <summary>
    /// A restore that was killed while it exchanged the datasets leaves the old one under another name, and so does one
    /// that finds it in use. Only its owner can decide whether it may be destroyed.
    /// </summary>
    private async Task CheckNothingSetAsideAsync(CancellationToken cancellationToken)
    {
        if (!await _zfs.ExistsAsync(Replaced, cancellationToken))
            return;
        throw new OperationException(
            ExitCode.Conflict,
            $"{Replaced} exists: it is the dataset that an earlier restore with --force replaced, and did not destroy "
                + "because it was in use or because the restore was killed.",
            $"To keep it: 'zfs rename {Replaced} {Name}'{(Exists ? $" (after {Name} is renamed or destroyed)" : "")}. "
                + $"If it is no longer needed: 'zfs destroy -r {Replaced}'. Then try again."
        );
    }
}
