using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// How long a <c>zfs</c> command without a stream may take. A command for a suspended pool waits in the kernel, where
/// no signal reaches it (state D); after this time it is given up. While it lives, further commands for its pool are
/// refused at once, so that one pool does not cost each caller the whole time, and a process each.
/// </summary>
internal sealed class ZfsPatience(TimeSpan most)
{
    /// <summary>How long a command may take to end once it is killed or its caller has gone.</summary>
    private static readonly TimeSpan End = TimeSpan.FromSeconds(5);

    /// <summary>What a shell reports of a command that SIGKILL ended.</summary>
    private const int Killed = 128 + 9;

    private readonly ConcurrentDictionary<string, Task> _stuck = new(StringComparer.Ordinal);

    /// <exception cref="ZfsException">A command for the same pool was given up and still lives.</exception>
    public void Demand(ZfsHost host, IReadOnlyList<string> arguments)
    {
        var pool = PoolOf(arguments);
        if (!_stuck.TryGetValue(pool, out var earlier))
            return;
        if (!earlier.IsCompleted)
            throw new ZfsException(
                arguments,
                Killed,
                $"it was not started: an earlier command for the pool {pool} was given up and does not end",
                host.Remote
            );
        _stuck.TryRemove(pool, out _);
    }

    /// <summary>Waits for a command that was started.</summary>
    /// <param name="work">Runs it to its end, and disposes it.</param>
    /// <exception cref="ZfsException">It was given up.</exception>
    public async Task<T> WaitAsync<T>(
        ZfsHost host,
        IReadOnlyList<string> arguments,
        ZfsProcess process,
        Task<T> work,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await work.WaitAsync(most, cancellationToken);
        }
        catch (TimeoutException)
        {
            process.Kill();
            if (!await EndsAsync(work))
                _stuck[PoolOf(arguments)] = work;
            throw new ZfsException(
                arguments,
                Killed,
                $"it did not answer within {most.TotalSeconds:0} s and was given up",
                host.Remote
            );
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await EndsAsync(work);
            throw;
        }
    }

    /// <summary>The pool of the dataset that the last argument names.</summary>
    private static string PoolOf(IReadOnlyList<string> arguments) =>
        arguments.Count == 0 ? "" : arguments[^1].Split('/', '@', '#')[0];

    private static async Task<bool> EndsAsync(Task work)
    {
        await work.WaitAsync(End).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return work.IsCompleted;
    }
}
