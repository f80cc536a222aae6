using System.Net;
using System.Threading.RateLimiting;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// Limits failed authentications of one address: some a minute for each client id, ten times as many for all ids
/// together. Successes are not counted. Keys have 256 random bits and cannot be guessed; this keeps logs readable, and
/// programs with an old key from asking endlessly.
/// </summary>
internal sealed class AuthenticationLimit : IDisposable
{
    /// <summary>Failures allowed for an address, as a multiple of those for one client id.</summary>
    public const int NamesPerAddress = 10;

    private const int MostWindows = 50_000; // about 20 MB

    private static readonly TimeSpan Length = TimeSpan.FromMinutes(1);

    private readonly PartitionedRateLimiter<Source>? _windows;
    private int _count;

    public AuthenticationLimit(ServerSettings settings, TimeProvider time)
    {
        var most = settings.AuthFailuresPerMinute;
        if (most == 0)
            return;
        _windows = PartitionedRateLimiter.Create<Source, Source>(source => RateLimitPartition.Get(source, key =>
            {
                Interlocked.Increment(ref _count);
                return new FailureWindow(key.ClientId is null ? most * NamesPerAddress : most, Length, time, () =>
                    Interlocked.Decrement(ref _count)
                );
            }));
    }

    /// <summary>The number of sources in memory.</summary>
    public int WindowCount => Volatile.Read(ref _count);

    /// <param name="address">The address that a request comes from.</param>
    /// <param name="clientId">The client id in the request.</param>
    /// <returns>How long the source must wait; null if it may try now.</returns>
    public TimeSpan? FindWait(IPAddress? address, string? clientId)
    {
        // In this order: an address over its limit cannot make the server remember more client ids.
        var (all, named) = SourcesOf(address, clientId);
        return FindWait(all) ?? FindWait(named);
    }

    /// <summary>Counts a failed authentication.</summary>
    public void Count(IPAddress? address, string? clientId)
    {
        var (all, named) = SourcesOf(address, clientId);
        Acquire(all, 1)?.Dispose();
        Acquire(named, 1)?.Dispose();
    }

    public void Dispose() => _windows?.Dispose();

    private TimeSpan? FindWait(Source source)
    {
        using var lease = Acquire(source, 0);
        return lease is { IsAcquired: false } && lease.TryGetMetadata(MetadataName.RetryAfter, out var wait)
            ? wait
            : null;
    }

    /// <summary>
    /// With the most sources in memory, no further one is limited: memory is bounded, and a flood from many addresses
    /// must not lock out legitimate clients.
    /// </summary>
    private RateLimitLease? Acquire(Source source, int failures) =>
        WindowCount < MostWindows ? _windows?.AttemptAcquire(source, failures) : null;

    private static (Source All, Source Named) SourcesOf(IPAddress? address, string? clientId)
    {
        var network = PeerNetwork.Of(address);
        // An invalid id counts as none: a key of the table must not be as long as a header.
        return (
            new Source(network, null),
            new Source(network, clientId is not null && ClientIdRule.IsValid(clientId) ? clientId : "")
        );
    }

    /// <param name="Network">An address, or the /64 of one.</param>
    /// <param name="ClientId">Null: all client ids together.</param>
    private readonly record struct Source(string Network, string? ClientId);
}
