using System.Globalization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Locks;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// One restore works on a target at a time, from the beginning to the end: between two streams of a chain no
/// <c>zfs receive</c> runs that a second one could notice. On this host a lock proves it. For other hosts, which reach
/// the same pool by ssh, a user property of the partial dataset names the run, with a number that grows while the run
/// is alive; clocks are not compared.
/// </summary>
internal sealed class RestoreClaim : IDisposable
{
    /// <summary>The user property: <c>RUN/NUMBER</c>.</summary>
    public const string Property = "zfs-snapshot-manager:restore-run";

    /// <summary>How often the number grows.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(20);

    /// <summary>A run whose number stays the same for so long has ended.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(75);

    /// <summary>This process is one run.</summary>
    private static readonly RunId ThisRun = RunId.Create(Machine.Local);

    private readonly IClaimNote _note;
    private readonly TimeProvider _time;
    private readonly HostLocks? _lock;
    private long _number;

    /// <param name="note">Where the run is noted.</param>
    /// <param name="held">The lock of this host.</param>
    public RestoreClaim(IClaimNote note, HostLocks? held, TimeProvider time) =>
        (_note, _lock, _time) = (note, held, time);

    /// <summary>The property and value that note this run on a dataset that it creates.</summary>
    public static string CreationProperty => $"{Property}={ThisRun}/0";

    /// <param name="target">The final name of the dataset.</param>
    /// <param name="partial">The name under which it is received.</param>
    /// <exception cref="OperationException">Another restore works on it.</exception>
    public static async Task<RestoreClaim> AcquireAsync(
        ZfsHost zfs,
        DatasetName target,
        DatasetName partial,
        Output output,
        CancellationToken cancellationToken
    )
    {
        var held = new HostLocks("zfs-restore.lock");
        var claim = new RestoreClaim(new ClaimProperty(zfs, partial), held, TimeProvider.System);
        try
        {
            if (!held.TryAcquire($"{zfs.Remote?.Destination}{target}"))
                throw new OperationException(
                    ExitCode.Conflict,
                    $"Another zfs-restore on this machine is restoring to {target}.",
                    $"Wait until it has finished, or stop it, and run the command again. {held.Remedy}"
                );
            await claim.TakeAsync(ThisRun, target, output.Note, cancellationToken);
            return claim;
        }
        catch
        {
            claim.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Waits until the run that is noted, if there is one, is known to have ended; then notes this one.
    /// </summary>
    public async Task TakeAsync(RunId own, DatasetName target, Action<string> tell, CancellationToken cancellationToken)
    {
        var noted = await _note.ReadAsync(cancellationToken);
        if (FindRun(noted) is { } other && other.Host != own.Host)
        {
            tell(
                $"A restore on another machine was working on {target}; waiting {Silence.TotalSeconds:0} s for a sign "
                    + "that it still does"
            );
            await Task.Delay(Silence, _time, cancellationToken);
            var later = await _note.ReadAsync(cancellationToken);
            if (later is not null && later != noted)
                throw new OperationException(
                    ExitCode.Conflict,
                    $"Another machine is restoring to {target}.",
                    "Wait until it has finished, or stop it there, and run the command again."
                );
        }

        await WriteAsync(own, cancellationToken);
    }

    /// <summary>Works while the run is noted.</summary>
    /// <exception cref="OperationException">Another restore has taken the target over.</exception>
    public Task<T> RunAsync<T>(
        DatasetName target,
        Func<CancellationToken, Task<T>> work,
        CancellationToken cancellationToken
    ) => RunAsync(ThisRun, target, work, cancellationToken);

    public async Task<T> RunAsync<T>(
        RunId own,
        DatasetName target,
        Func<CancellationToken, Task<T>> work,
        CancellationToken cancellationToken
    )
    {
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var done = new CancellationTokenSource();
        var watching = WatchAsync(own, lost, done.Token);
        try
        {
            return await work(lost.Token);
        }
        catch (Exception e) when (lost.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new OperationException(
                ExitCode.Conflict,
                $"Another restore has taken {target} over; this one stops.",
                "What was received stays. Run one restore into a dataset at a time.",
                e
            );
        }
        finally
        {
            await done.CancelAsync();
            await watching;
        }
    }

    public void Dispose() => _lock?.Dispose();

    private static RunId? FindRun(string? noted) =>
        noted?.Split('/') is [var text, _] && RunId.TryParse(text, out var run) ? run : null;

    private async Task WatchAsync(RunId own, CancellationTokenSource lost, CancellationToken cancellationToken)
    {
        try
        {
            bool isOwn;
            do isOwn = await IsOwnAsync(own, cancellationToken);
            while (isOwn);
            await lost.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // The work is done.
        }
    }

    /// <summary>Waits, looks and notes this run again.</summary>
    /// <returns>False if another run is noted.</returns>
    private async Task<bool> IsOwnAsync(RunId own, CancellationToken cancellationToken)
    {
        await Task.Delay(Interval, _time, cancellationToken);
        try
        {
            var noted = await _note.ReadAsync(cancellationToken);
            if (FindRun(noted) is { } run && run != own)
                return false;
            await WriteAsync(own, cancellationToken);
        }
        catch (OperationException)
        {
            // A note that fails now is no sign of another run, and must not end this one.
        }

        return true;
    }

    private Task WriteAsync(RunId own, CancellationToken cancellationToken)
    {
        _number++;
        return _note.WriteAsync(string.Create(CultureInfo.InvariantCulture, $"{own}/{_number}"), cancellationToken);
    }
}
