using System.Net;
using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.UnitTests.Server.Clients;

public sealed class AuthenticationLimitTests : IDisposable
{
    private static readonly IPAddress Here = IPAddress.Parse("192.0.2.1");

    private readonly TemporaryFolder _folder = new();
    private readonly SetTime _time = new(DateTimeOffset.UnixEpoch);
    private readonly AuthenticationLimit _limit;

    public AuthenticationLimitTests() => _limit = new AuthenticationLimit(TestSettings.In(_folder), _time);

    public void Dispose()
    {
        _limit.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Ten_failures_of_a_client_lock_it_out_until_the_minute_is_over()
    {
        for (var failure = 0; failure < 10; failure++)
            Fail(Here, "web1");

        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(TimeSpan.FromSeconds(40), _limit.FindWait(Here, "web1"));
        Assert.Null(_limit.FindWait(Here, "web2"));
        Assert.Null(_limit.FindWait(Here, null));
        Assert.Null(_limit.FindWait(IPAddress.Parse("192.0.2.2"), "web1"));
        _time.Advance(TimeSpan.FromSeconds(40));
        Assert.Null(_limit.FindWait(Here, "web1"));
    }

    [Fact]
    public void A_hundred_failures_lock_out_an_address_for_every_client()
    {
        for (var failure = 0; failure < 100; failure++)
            Fail(Here, $"name{failure}");

        Assert.NotNull(_limit.FindWait(Here, "another"));
        var known = _limit.WindowCount;
        for (var ask = 0; ask < 100; ask++)
            Assert.NotNull(_limit.FindWait(Here, $"more{ask}"));
        Assert.Equal(known, _limit.WindowCount); // names from there cost no more memory
        Assert.Null(_limit.FindWait(IPAddress.Parse("192.0.2.2"), "another"));
    }

    [Fact]
    public void Requests_that_succeed_are_not_limited()
    {
        for (var request = 0; request < 1000; request++)
            Assert.Null(_limit.FindWait(Here, "web1"));
    }

    [Theory]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", true)]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:2::1", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    public void Addresses_of_one_network_count_together(string first, string second, bool together)
    {
        for (var failure = 0; failure < 10; failure++)
            Fail(IPAddress.Parse(first), "web1");

        Assert.Equal(together, _limit.FindWait(IPAddress.Parse(second), "web1") is not null);
    }

    [Fact]
    public void Anything_but_a_client_id_counts_as_none()
    {
        for (var failure = 0; failure < 10; failure++)
            Fail(Here, new string('x', 10_000) + failure);

        Assert.NotNull(_limit.FindWait(Here, null));
        Assert.Equal(2, _limit.WindowCount);
    }

    [Fact]
    public async Task Old_failures_are_forgotten()
    {
        for (var failure = 0; failure < 10; failure++)
            Fail(Here, $"name{failure}");
        Assert.Equal(11, _limit.WindowCount);

        _time.Advance(TimeSpan.FromMinutes(2));

        for (var wait = 0; _limit.WindowCount > 0; wait++)
        {
            Assert.True(wait < 600, $"{_limit.WindowCount} are still remembered");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public void Zero_turns_it_off()
    {
        using var none = new AuthenticationLimit(TestSettings.In(_folder, ("AUTH_FAILURES_PER_MINUTE", "0")), _time);

        for (var failure = 0; failure < 1000; failure++)
            none.Count(Here, "web1");

        Assert.Null(none.FindWait(Here, "web1"));
    }

    [Fact]
    public void The_setting_gives_both_numbers()
    {
        using var strict = new AuthenticationLimit(TestSettings.In(_folder, ("AUTH_FAILURES_PER_MINUTE", "1")), _time);

        strict.Count(Here, "web1");
        Assert.NotNull(strict.FindWait(Here, "web1"));
        Assert.Null(strict.FindWait(Here, "web2"));
        for (var failure = 1; failure < 10; failure++)
            strict.Count(Here, $"name{failure}");
        Assert.NotNull(strict.FindWait(Here, "web2"));
    }

    private void Fail(IPAddress address, string name)
    {
        Assert.Null(_limit.FindWait(address, name));
        _limit.Count(address, name);
    }
}
