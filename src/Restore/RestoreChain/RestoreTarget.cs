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
    private const string MarkProperty = "zfs-snapshot-manager:restore";

    private const string Mark = "partial";

    /// <summary>The <see cref="ChainDigest"/> of the backups that the dataset was received from.</summary>
    private const string ReceivedProperty = "zfs-snapshot-manager:restore-of";

    private readonly ZfsHost _zfs;
    private readonly Output _output;

    private RestoreTarget(RestoreSession session, DatasetName name, bool exists)
    {
        (_zfs, _output) = (session.Settings.Zfs, session.Output);
        (Name, Exists) = (name, exists);
        (Partial, Replaced) = (Beside(name, ".restoring"), Beside(name, ".replaced"));
    }

    public DatasetName Name { get; }

    /// <summary>The name under which streams are received.</summary>
    public DatasetName Partial { get; }

    /// <summary>The name of an existing target between the last stream and its destruction.</summary>
    private DatasetName Replaced { get; }

    private bool Exists { get; }

    /// <summary>Options of <c>zfs receive</c> for the first stream.</summary>
    /// <param name="received">The <see cref="ChainDigest"/> to note.</param>
    public static IReadOnlyList<string> MarkOptions(string received) =>
        ["-o", $"{MarkProperty}={Mark}", "-o", $"{ReceivedProperty}={received}"];

    /// <exception cref="OperationException">The target exists and must not be replaced, or cannot be.</exception>
    public static async Task<RestoreTarget> PrepareAsync(
        RestoreSession session,
        DatasetName name,
        bool force,
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
            await target.CheckReplaceableAsync(cancellationToken);
        await ReceivingProcess.WaitForEndAsync(zfs, target.Partial, cancellationToken);
        return target;
    }

    /// <summary>Finds what an earlier run left; null if nothing.</summary>
    /// <exception cref="OperationException">A dataset has that name, but was not created by a restore.</exception>
    public async Task<PartialDataset?> FindPartialAsync(CancellationToken cancellationToken)
    {
        if (!await _zfs.ExistsAsync(Partial, cancellationToken))
            return null;
        var rows = await _zfs.RunTableAsync(
            [
                "get",
                "-H",
                "-o",
                "property,value,source",
                $"{MarkProperty},{ReceivedProperty},receive_resume_token",
                Partial.Value,
            ],
            cancellationToken
        );
        var values = rows.ToDictionary(row => row[0], row => row);
        string? Local(string property) => values[property] is [_, var value, "local"] ? value : null;
        if (Local(MarkProperty) != Mark)
            throw new OperationException(
                ExitCode.Conflict,
                $"{Partial} exists, but was not created by a restore.",
                $"Restore to another name, or rename {Partial}: a restore receives under that name."
            );
        var snapshots = await _zfs.ListSnapshotsAsync(Partial, cancellationToken);
        var token = values["receive_resume_token"][1];
        return new PartialDataset(
            Local(ReceivedProperty),
            [.. snapshots.Where(snapshot => !snapshot.Name.IsBookmark).Select(snapshot => snapshot.Guid)],
            token == "-" ? null : token
        );
    }

    /// <summary>Notes on the existing dataset what is received next.</summary>
    public Task NoteAsync(string received, CancellationToken cancellationToken) =>
        _zfs.RunAsync(["set", $"{ReceivedProperty}={received}", Partial.Value], cancellationToken);

    /// <summary>Gives the received dataset its final name. An old dataset of that name is destroyed.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        if (Exists)
            await ExchangeAsync(cancellationToken);
        else
            await RenameAsync(Partial, Name, cancellationToken);
        await _zfs.RunAsync(["inherit", ReceivedProperty, Name.Value], CancellationToken.None);
        await _zfs.RunAsync(["inherit", MarkProperty, Name.Value], CancellationToken.None);
    }

    /// <summary>Removes what was received so far.</summary>
    /// <exception cref="OperationException">A dataset has that name, but was not created by a restore.</exception>
    public async Task RemovePartialAsync(CancellationToken cancellationToken)
    {
        if (await FindPartialAsync(cancellationToken) is null)
            return;
        await _zfs.RunAsync(["destroy", "-r", Partial.Value], cancellationToken);
    }

    private async Task ExchangeAsync(CancellationToken cancellationToken)
    {
        var wasMounted = await MoveOldAsideAsync(cancellationToken);
        try
        {
            await RenameAsync(Partial, Name, cancellationToken);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            await RenameAsync(Replaced, Name, CancellationToken.None);
            if (wasMounted)
                await _zfs.RunAsync(["mount", Name.Value], CancellationToken.None);
            throw;
        }

        try
        {
            await _zfs.RunAsync(["destroy", "-r", Replaced.Value], CancellationToken.None);
        }
        catch (ZfsException e)
        {
            _output.Warn(
                $"{Name} is restored, but the old dataset could not be destroyed and is now called {Replaced}: "
                    + $"{e.StandardError.Trim()}"
            );
        }
    }

    /// <returns>Whether it was mounted.</returns>
    private async Task<bool> MoveOldAsideAsync(CancellationToken cancellationToken)
    {
        var rows = await _zfs.RunTableAsync(["get", "-H", "-o", "value", "mounted", Name.Value], cancellationToken);
        var mounted = rows.Single()[0] == "yes";
        if (mounted)
            await _zfs.RunAsync(["unmount", Name.Value], cancellationToken);
        try
        {
            await RenameAsync(Name, Replaced, cancellationToken);
        }
        catch (Exception e) when (mounted && e is not OutOfMemoryException)
        {
            await _zfs.RunAsync(["mount", Name.Value], CancellationToken.None);
            throw;
        }

        return mounted;
    }

    private static DatasetName Beside(DatasetName name, string suffix) =>
        DatasetName.TryParse(name.Value + suffix, out var beside, out var fault)
            ? beside
            : throw new OperationException(
                ExitCode.Usage,
                $"Cannot restore to {name}: the temporary name {name}{suffix} is not a dataset name: {fault}.",
                "Choose a shorter name."
            );

    /// <summary>Nothing that is renamed here is mounted, so renaming mounts nothing.</summary>
    private async Task RenameAsync(DatasetName from, DatasetName to, CancellationToken cancellationToken) =>
        await _zfs.RunAsync(["rename", from.Value, to.Value], cancellationToken);

    /// <summary>
    /// Children and clones of the old dataset would be destroyed with it, which --force does not cover.
    /// </summary>
    private async Task CheckReplaceableAsync(CancellationToken cancellationToken)
    {
        var children = await _zfs.RunTableAsync(
            ["list", "-H", "-r", "-d", "1", "-t", "filesystem,volume", "-o", "name", Name.Value],
            cancellationToken
        );
        if (children.Skip(1).FirstOrDefault() is { } child)
        {
            throw new OperationException(
                ExitCode.Conflict,
                $"{Name} has child datasets ({child[0]}), which --force would destroy.",
                "Restore into another dataset, or rename them first."
            );
        }

        var clones = await _zfs.RunTableAsync(
            ["list", "-H", "-t", "snapshot", "-d", "1", "-o", "name,clones", Name.Value],
            cancellationToken
        );
        if (clones.FirstOrDefault(row => row[1] is not ("" or "-")) is { } cloned)
        {
            throw new OperationException(
                ExitCode.Conflict,
                $"{cloned[1]} is a clone of {cloned[0]}, which --force would destroy.",
                "Restore into another dataset, or promote the clone first."
            );
        }
    }

    /// <summary>
    /// A restore that was killed while it exchanged the datasets leaves the old one under another name. Only its owner
    /// can decide whether it may be destroyed.
    /// </summary>
    private async Task CheckNothingSetAsideAsync(CancellationToken cancellationToken)
    {
        if (!await _zfs.ExistsAsync(Replaced, cancellationToken))
            return;
        throw new OperationException(
            ExitCode.Conflict,
            $"{Replaced} exists: an earlier restore was killed while it replaced {Name}, and this is the dataset as "
                + "it was before.",
            $"To keep it: 'zfs rename {Replaced} {Name}'{(Exists ? $" (after {Name} is renamed or destroyed)" : "")}. "
                + $"If it is no longer needed: 'zfs destroy -r {Replaced}'. Then try again."
        );
    }
}
