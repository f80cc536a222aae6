using System.Net;
using System.Net.Sockets;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// Connects to the first address of a host that answers (RFC 8305, "Happy Eyeballs"): IPv6 and IPv4 in turn, each a
/// moment after the one before, or at once when that has failed. <see cref="Socket.ConnectAsync(EndPoint)"/> tries them
/// one after another: an IPv6 address whose packets are lost takes the whole time that a connection may take.
/// </summary>
internal static class AddressRace
{
    /// <summary>The delay that RFC 8305, section 5, recommends.</summary>
    private static readonly TimeSpan DefaultDelay = TimeSpan.FromMilliseconds(250);

    /// <param name="addresses">In the order of the system's preference (RFC 6724).</param>
    /// <param name="connect">Connects to one address.</param>
    /// <param name="delay">Between two attempts.</param>
    /// <exception cref="SocketException">No address answers; it is the failure of the first one.</exception>
    public static async Task<T> RunAsync<T>(
        IReadOnlyList<IPAddress> addresses,
        Func<IPAddress, CancellationToken, Task<T>> connect,
        CancellationToken cancellationToken,
        TimeSpan? delay = null
    )
        where T : class, IDisposable
    {
        using var losers = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = new Queue<IPAddress>(Interleave(addresses));
        List<Task<T>> running = [];
        Exception? failure = null;
        try
        {
            while (running.Count > 0 || waiting.Count > 0)
            {
                if (waiting.TryDequeue(out var address))
                    running.Add(connect(address, losers.Token));
                var pause = waiting.Count > 0 ? delay ?? DefaultDelay : Timeout.InfiniteTimeSpan;
                if (await FirstOfAsync(running, pause, cancellationToken) is not { } ended)
                    continue;
                running.Remove(ended);
                if (ended.IsCompletedSuccessfully)
                    return await ended;
                cancellationToken.ThrowIfCancellationRequested();
                failure ??= ended.Exception?.InnerException;
            }
        }
        finally
        {
            await losers.CancelAsync();
            foreach (var loser in running)
                _ = CloseAsync(loser);
        }

        throw failure ?? new SocketException((int)SocketError.HostNotFound);
    }

    /// <summary>The first address's family, then the other, in turn.</summary>
    internal static IEnumerable<IPAddress> Interleave(IReadOnlyList<IPAddress> addresses)
    {
        var families = addresses.GroupBy(address => address.AddressFamily).Select(family => family.ToList()).ToList();
        for (var i = 0; families.Exists(family => i < family.Count); i++)
        {
            foreach (var family in families.Where(family => i < family.Count))
                yield return family[i];
        }
    }

    /// <returns>Null if none ended within the time.</returns>
    private static async Task<Task<T>?> FirstOfAsync<T>(
        List<Task<T>> running,
        TimeSpan pause,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await Task.WhenAny(running).WaitAsync(pause, cancellationToken);
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    private static async Task CloseAsync<T>(Task<T> loser)
        where T : IDisposable
    {
        try
        {
            (await loser).Dispose();
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // It has lost.
        }
    }
}
