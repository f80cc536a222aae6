using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// The dataset that a restore makes. Everything is received under another name beside it, and takes its own only when
/// whole: what is called like the target is never half restored, and with <c>--force</c> the old dataset is there until
/// the new one is.
/// </summary>
internal sealed class RestoreTarget
{
    /// <summary>Marks a dataset as one that a restore is receiving, and may remove.</summary>
    private const string MarkProperty = "zfs-snapshot-manager:restore";

    private const string Mark = "partial";

    /// <summary>Says of which backups it is: a <see cref="ChainDigest"/>.</summary>
    private const string ReceivedProperty = "zfs-snapshot-manager:restore-of";

    private readonly ZfsHost _zfs;

    private RestoreTarget(ZfsHost zfs, DatasetName name, DatasetName partial, DatasetName replaced, bool exists) =>
        (_zfs, Name, Partial, Replaced, Exists) = (zfs, name, partial, replaced, exists);

    public DatasetName Name { get; }

    /// <summary>Where streams are received.</summary>
    public DatasetName Partial { get; }

    /// <summary>What an existing target is called between the last stream and its end.</summary>
    private DatasetName Replaced { get; }

    private bool Exists { get; }

    /// <summary>Options with which the first stream is received.</summary>
    /// <param name="received">What is noted of it.</param>
    public static IReadOnlyList<string> MarkOptions(string received) =>
        ["-o", $"{MarkProperty}={Mark}", "-o", $"{ReceivedProperty}={received}"];

    /// <exception cref="OperationException">The target is there and must not be replaced, or cannot be.</exception>
    public static async Task<RestoreTarget> PrepareAsync(
        ZfsHost zfs,
        DatasetName name,
        bool force,
        CancellationToken cancellationToken
    )
    {
        if (name.IsPool)
            throw new OperationException(
                ExitCode.Conflict,
                $"{name} is a pool.",
                $"Restore into a dataset of it, such as {name}/restored."
            );
        var exists = await zfs.ExistsAsync(name, cancellationToken);
        if (exists && !force)
            throw new OperationException(
                ExitCode.Conflict,
                $"{name} exists already.",
                "Choose another dataset, or use --force to replace it."
            );
        var target = new RestoreTarget(zfs, name, Beside(name, ".restoring"), Beside(name, ".replaced"), exists);
        await target.CheckNothingIsAsideAsync(cancellationToken);
        if (exists)
            await target.CheckReplaceableAsync(cancellationToken);
        await ReceivingProcess.WaitForEndAsync(zfs, target.Partial, cancellationToken);
        return target;
    }

    /// <summary>What an earlier run left; null where that is nothing.</summary>
    /// <exception cref="OperationException">A dataset has that name, and no restore made it.</exception>
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
                $"{Partial} exists, and no restore made it.",
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

    /// <summary>Notes what is received next into the dataset that is there.</summary>
    public Task NoteAsync(string received, CancellationToken cancellationToken) =>
        _zfs.RunAsync(["set", $"{ReceivedProperty}={received}", Partial.Value], cancellationToken);

    /// <summary>Gives the received dataset its name; an old one of that name goes.</summary>
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
    /// <exception cref="OperationException">A dataset has that name, and no restore made it.</exception>
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
            Output.Warn(
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
                $"{name} cannot be restored to: {name}{suffix}, which is needed on the way, is not a dataset name: "
                    + $"{fault}.",
                "Choose a shorter name."
            );

    /// <summary>Renaming mounts nothing: nothing of what is renamed here is mounted.</summary>
    private async Task RenameAsync(DatasetName from, DatasetName to, CancellationToken cancellationToken) =>
        await _zfs.RunAsync(["rename", from.Value, to.Value], cancellationToken);

    /// <summary>Children and clones of the old dataset would go with it, and nobody asked for that.</summary>
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
                $"{Name} holds other datasets ({child[0]}), which --force would not keep.",
                "Restore into another dataset, or move them away first."
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
                $"{cloned[1]} is a clone of {cloned[0]}, which --force would not keep.",
                "Restore into another dataset, or promote the clone first."
            );
        }
    }

    /// <summary>
    /// A restore that was killed while it exchanged the datasets leaves the old one aside; only its owner can say
    /// whether it may go.
    /// </summary>
    private async Task CheckNothingIsAsideAsync(CancellationToken cancellationToken)
    {
        if (!await _zfs.ExistsAsync(Replaced, cancellationToken))
            return;
        throw new OperationException(
            ExitCode.Conflict,
            $"{Replaced} exists: an earlier restore was killed while it replaced {Name}, and this is the dataset as "
                + "it was before.",
            $"To have it back: 'zfs rename {Replaced} {Name}'{(Exists ? $" (once {Name} is out of the way)" : "")}. "
                + $"If it may go: 'zfs destroy -r {Replaced}'. Then try again."
        );
    }
}
