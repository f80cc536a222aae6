using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>
/// Counts failed authentications. The first one of an address, for a client and a reason, is an event at once; the
/// others of the same hour are one event with their number. Anyone can cause them.
/// </summary>
internal sealed class AuthenticationFailures(Outbox outbox, TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromHours(1);

    /// <summary>Further sources are counted together.</summary>
    private const int MostSources = 10_000;

    private const string OtherAddresses = "others";

    private readonly Lock _lock = new();
    private readonly Dictionary<Source, long> _counts = [];
    private readonly Dictionary<Source, long> _begun = [];
    private readonly List<ServerEvent> _new = [];

    /// <param name="address">The request's; null if unknown.</param>
    /// <param name="clientId">Only of a client that exists: the key may have been sent in place of the id.</param>
    public void Count(string? address, string? clientId, string reason)
    {
        lock (_lock)
        {
            var source = new Source(address, clientId, reason);
            if (!_begun.ContainsKey(source) && _begun.Count >= MostSources)
                source = source with { Address = OtherAddresses, ClientId = null };
            if (!_begun.TryAdd(source, time.GetTimestamp()))
            {
                _counts[source] = _counts.GetValueOrDefault(source) + 1;
                return;
            }

            _new.Add(Describe(source));
        }

        outbox.Signal();
    }

    /// <summary>The events since the last call, and those with the numbers of windows that are over.</summary>
    /// <param name="atEnd">Whether all windows end.</param>
    public IReadOnlyList<ServerEvent> Take(bool atEnd)
    {
        lock (_lock)
        {
            List<ServerEvent> events = [.. _new];
            _new.Clear();
            foreach (
                var source in _begun.Where(source => atEnd || time.GetElapsedTime(source.Value) >= Window).ToList()
            )
            {
                _begun.Remove(source.Key);
                if (_counts.Remove(source.Key, out var more))
                    events.Add(Describe(source.Key, ("more", $"{more}")));
            }

            return events;
        }
    }

    private ServerEvent Describe(Source source, params IEnumerable<(string Name, string Value)> more) =>
        ServerEvent.Of(
            ServerEvents.AuthFailed,
            EventActor.Client,
            time.GetUtcNow(),
            [("reason", source.Reason), .. more]
        ) with
        {
            ClientId = source.ClientId,
            Address = source.Address,
        };

    private readonly record struct Source(string? Address, string? ClientId, string Reason);
}
