using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Commands;

namespace ZfsSnapshotManager.UnitTests.Server.Clients;

public sealed class ClientChangesTests
{
    private static readonly ClientEntry Client = new()
    {
        ClientId = "a",
        ApiKey = ApiKey.Hash("x"),
        Dataset = "backup/a",
    };

    [Fact]
    public void Each_changed_field_is_logged_with_both_values()
    {
        var changed = Client with
        {
            Enabled = false,
            MaxSizeBytes = 500,
            RotationPolicy = new RotationPolicy { KeepDaily = 30 },
        };

        string[] expected =
        [
            "enabled: true → false",
            "max_size_bytes: none → 500",
            "rotation_policy: none → 24 hourly, 30 daily, 4 weekly, 12 monthly",
        ];
        Assert.Equal(expected, ClientChanges.Between(Client, changed).Select(change => change.ToString()));
        Assert.Empty(ClientChanges.Between(Client, Client with { ClientId = Client.ClientId }));
    }

    [Fact]
    public void Given_options_are_set_and_the_others_stay()
    {
        var policed = new ClientOptions.Values { KeepDaily = 30 }.Apply(Client);
        var (hourly, daily) = (policed.RotationPolicy!.KeepHourly, policed.RotationPolicy.KeepDaily);
        Assert.Equal((24, 30), (hourly, daily));

        var again = new ClientOptions.Values { KeepHourly = 0, MaxSizeBytes = 1 }.Apply(policed);
        Assert.Equal((0, 30), (again.RotationPolicy!.KeepHourly, again.RotationPolicy.KeepDaily));
        Assert.Equal((1, "backup/a", "s3"), (again.MaxSizeBytes, again.Dataset, again.StorageType));
        Assert.Equal(again, new ClientOptions.Values().Apply(again));
    }

    [Fact]
    public void No_hash_of_a_key_is_printed()
    {
        var rotated = ClientAdministration.Rotate(Client, "new", 1, DateTimeOffset.UnixEpoch);

        var shown = string.Join(
            '\n',
            ClientChanges
                .Between(Client, rotated)
                .Select(change => change.ToString())
                .Concat(ClientChanges.FieldsOf(rotated).Select(field => field.Value))
        );
        Assert.DoesNotContain(ApiKey.Hash("x"), shown, StringComparison.Ordinal);
        Assert.DoesNotContain(ApiKey.Hash("new"), shown, StringComparison.Ordinal);
    }
}
