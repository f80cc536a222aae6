using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.UnitTests.Server.Clients;

public sealed class ApiKeyTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero);
    private static readonly ClientEntry Client = new() { ClientId = "a", ApiKey = ApiKey.Hash("first") };

    [Fact]
    public void Both_keys_are_accepted_while_the_old_one_is_valid()
    {
        var rotated = ClientAdministration.Rotate(Client, "second", overlap: 2, Now);

        Assert.Equal(Now.AddHours(2), rotated.OldApiKeyUntil);
        Assert.True(ApiKey.Matches("second", rotated, Now));
        Assert.True(ApiKey.Matches("first", rotated, Now.AddHours(2).AddTicks(-1)));
        Assert.False(ApiKey.Matches("first", rotated, Now.AddHours(2)));
        Assert.True(ApiKey.Matches("second", rotated, Now.AddYears(1)));
        Assert.False(ApiKey.Matches("third", rotated, Now));
    }

    [Fact]
    public void Without_an_overlap_the_old_key_ends_immediately()
    {
        var rotated = ClientAdministration.Rotate(Client, "second", overlap: 0, Now);

        Assert.Null(rotated.OldApiKey);
        Assert.Null(rotated.OldApiKeyUntil);
        Assert.False(ApiKey.Matches("first", rotated, Now));
    }

    [Fact]
    public void A_second_rotation_ends_the_key_before_the_previous_one()
    {
        var rotated = ClientAdministration.Rotate(
            ClientAdministration.Rotate(Client, "second", 2, Now),
            "third",
            2,
            Now
        );

        Assert.False(ApiKey.Matches("first", rotated, Now));
        Assert.True(ApiKey.Matches("second", rotated, Now));
        Assert.True(ApiKey.Matches("third", rotated, Now));
    }

    [Theory]
    [InlineData("")]
    [InlineData("first ")]
    [InlineData("First")]
    public void Only_the_key_itself_matches(string key)
    {
        Assert.False(ApiKey.Matches(key, Client, Now));
        Assert.False(ApiKey.Matches(ApiKey.Hash("first"), Client, Now));
        Assert.False(ApiKey.Matches("first", null, Now));
    }
}
