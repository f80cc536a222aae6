using System.Net;
using System.Net.Sockets;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.UnitTests.Api;

public sealed class AddressRaceTests
{
    private static readonly IPAddress Dead6 = IPAddress.Parse("2001:db8::1");
    private static readonly IPAddress Also6 = IPAddress.Parse("2001:db8::2");
    private static readonly IPAddress Good4 = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress Also4 = IPAddress.Parse("192.0.2.2");
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(20);

    private readonly List<IPAddress> _tried = [];
    private readonly List<IPAddress> _closed = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Families_take_turns_and_the_preferred_one_comes_first() =>
        Assert.Equal([Dead6, Good4, Also6, Also4], AddressRace.Interleave([Dead6, Also6, Good4, Also4]));

    [Fact]
    public async Task An_address_that_swallows_packets_does_not_take_the_time_of_the_next()
    {
        var won = await RaceAsync([Dead6, Also6, Good4], Good4);

        Assert.Equal(Good4, won.Address);
        Assert.Equal([Dead6, Good4], _tried);
    }

    [Fact]
    public async Task An_address_that_refuses_is_followed_at_once()
    {
        var race = AddressRace.RunAsync([Dead6, Good4], RefuseFirst, Token, TimeSpan.FromMinutes(5));

        Assert.Equal(Good4, (await race).Address);

        Task<Connection> RefuseFirst(IPAddress address, CancellationToken stop) =>
            address.Equals(Dead6)
                ? Task.FromException<Connection>(new SocketException((int)SocketError.ConnectionRefused))
                : Task.FromResult(new Connection(address, _closed));
    }

    [Fact]
    public async Task The_first_failure_is_that_of_all()
    {
        var failed = await Assert.ThrowsAsync<SocketException>(() =>
            AddressRace.RunAsync<Connection>(
                [Dead6, Good4],
                (address, _) =>
                    Task.FromException<Connection>(
                        new SocketException(
                            (int)(
                                address.Equals(Dead6) ? SocketError.NetworkUnreachable : SocketError.ConnectionRefused
                            )
                        )
                    ),
                Token,
                Delay
            )
        );

        Assert.Equal(SocketError.NetworkUnreachable, failed.SocketErrorCode);
    }

    [Fact]
    public async Task A_loser_that_connects_later_is_closed()
    {
        var late = new TaskCompletionSource<Connection>();

        var won = await AddressRace.RunAsync(
            [Dead6, Good4],
            (address, _) => address.Equals(Dead6) ? late.Task : Task.FromResult(new Connection(address, _closed)),
            Token,
            Delay
        );
        late.SetResult(new Connection(Dead6, _closed));

        Assert.Equal(Good4, won.Address);
        Assert.Equal([Dead6], _closed);
    }

    [Fact]
    public async Task The_time_of_the_connection_ends_all_attempts()
    {
        using var timeout = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            AddressRace.RunAsync(
                [Dead6, Good4],
                async (address, stop) =>
                {
                    var attempt = ConnectAsync(address, null, stop);
                    if (address.Equals(Good4))
                        await timeout.CancelAsync();
                    return await attempt;
                },
                timeout.Token,
                Delay
            )
        );

        Assert.Equal([Dead6, Good4], _tried);
    }

    private Task<Connection> RaceAsync(IReadOnlyList<IPAddress> addresses, IPAddress good) =>
        AddressRace.RunAsync(addresses, (address, stop) => ConnectAsync(address, good, stop), Token, Delay);

    /// <summary>Only the good address answers; others swallow packets.</summary>
    private async Task<Connection> ConnectAsync(IPAddress address, IPAddress? good, CancellationToken stop)
    {
        _tried.Add(address);
        if (!address.Equals(good))
            await Task.Delay(Timeout.InfiniteTimeSpan, stop);
        return new Connection(address, _closed);
    }

    private sealed record Connection(IPAddress Address, List<IPAddress> Closed) : IDisposable
    {
        public void Dispose() => Closed.Add(Address);
    }
}
