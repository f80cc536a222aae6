using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// How many wrong keys one side may show: some a minute for each name, ten times as many for all names together. What
/// succeeds is not counted. Keys have 256 random bits and cannot be guessed; this keeps logs readable, and programs
/// with an old key from asking without end.
/// </summary>
internal sealed class AuthenticationLimit : IDisposable
{
    /// <summary>Failures of one address, as a multiple of those that one name of it may have.</summary>
    public const int NamesPerAddress = 10;

    private const int MostWindows = 50_000; // some 20 MB
    private const int NetworkBytes = 8; // of an IPv6 address: a machine has all of its /64 to choose from

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

    /// <summary>How many sources are remembered.</summary>
    public int WindowCount => Volatile.Read(ref _count);

    /// <param name="address">Where a request comes from.</param>
    /// <param name="clientId">The name that it gives.</param>
    /// <returns>For how long it must not try; null where it may.</returns>
    public TimeSpan? FindWait(IPAddress? address, string? clientId)
    {
        // In this order: an address that has used up all cannot make the server remember any more names.
        var (all, named) = SourcesOf(address, clientId);
        return Look(all) ?? Look(named);
    }

    /// <summary>Notes that a request failed.</summary>
    public void Count(IPAddress? address, string? clientId)
    {
        var (all, named) = SourcesOf(address, clientId);
        Acquire(all, 1)?.Dispose();
        Acquire(named, 1)?.Dispose();
    }

    public void Dispose() => _windows?.Dispose();

    private TimeSpan? Look(Source source)
    {
        using var lease = Acquire(source, 0);
        return lease is { IsAcquired: false } && lease.TryGetMetadata(MetadataName.RetryAfter, out var wait)
            ? wait
            : null;
    }

    /// <summary>
    /// With so many sources at once nobody is held up: memory has a bound, and a flood from everywhere must not shut
    /// the right ones out.
    /// </summary>
    private RateLimitLease? Acquire(Source source, int failures) =>
        WindowCount < MostWindows ? _windows?.AttemptAcquire(source, failures) : null;

    private static (Source All, Source Named) SourcesOf(IPAddress? address, string? clientId)
    {
        var network = NetworkOf(address);
        // What is no name counts as none: a key of the table must not be as long as a header may be.
        return (
            new Source(network, null),
            new Source(network, clientId is not null && ClientIdRule.IsValid(clientId) ? clientId : "")
        );
    }

    private static string NetworkOf(IPAddress? address) =>
        address switch
        {
            null => "",
            { IsIPv4MappedToIPv6: true } => address.MapToIPv4().ToString(),
            { AddressFamily: AddressFamily.InterNetworkV6 } => Convert.ToHexString(
                address.GetAddressBytes().AsSpan(0, NetworkBytes)
            ),
            _ => address.ToString(),
        };

    /// <param name="Network">An address, or the /64 of one.</param>
    /// <param name="ClientId">Null: all names together.</param>
    private readonly record struct Source(string Network, string? ClientId);
}
