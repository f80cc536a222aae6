using System.Text.Json;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.UnitTests.Names;

public sealed class NameTests
{
    [Theory]
    [InlineData("tank")]
    [InlineData("tank/data")]
    [InlineData("tank/with some spaces/a_b-c.d:e")]
    [InlineData("tank/-dash")]
    public void A_name_that_ZFS_allows_is_accepted(string name) => Assert.Equal(name, DatasetName.Parse(name).Value);

    [Theory]
    [InlineData("")]
    [InlineData("/tank")]
    [InlineData("tank/")]
    [InlineData("tank//data")]
    [InlineData("tank/../etc")]
    [InlineData("tank/.")]
    [InlineData("-rf")]
    [InlineData("1tank")]
    [InlineData("tank/da@ta")]
    [InlineData("tank/da#ta")]
    [InlineData("tank/da%ta")]
    [InlineData("tank/dätä")]
    [InlineData("tank/da\0ta")]
    [InlineData("tank/da\nta")]
    [InlineData("tank/data ")]
    public void A_name_that_ZFS_refuses_is_refused_with_its_fault(string name)
    {
        Assert.False(DatasetName.TryParse(name, out _, out var fault));
        Assert.NotEmpty(fault);
    }

    [Fact]
    public void A_name_may_have_255_characters_and_no_more()
    {
        Assert.True(DatasetName.TryParse("t/" + new string('x', 253), out _, out _));
        Assert.False(DatasetName.TryParse("t/" + new string('x', 254), out _, out _));
        Assert.False(SnapshotName.TryParse("t/" + new string('x', 250) + "@abcd", out _, out _));
    }

    [Theory]
    [InlineData("tank/data@monday", "tank/data", "monday", false)]
    [InlineData("tank/data#monday", "tank/data", "monday", true)]
    public void A_snapshot_and_a_bookmark_are_distinguished(string text, string dataset, string leaf, bool isBookmark)
    {
        var name = SnapshotName.Parse(text);

        Assert.Equal(
            (dataset, leaf, isBookmark, text),
            (name.Dataset.Value, name.Leaf, name.IsBookmark, name.ToString())
        );
    }

    [Theory]
    [InlineData("tank/data")]
    [InlineData("tank/data@")]
    [InlineData("@monday")]
    [InlineData("tank/data@a@b")]
    [InlineData("tank/data@a/b")]
    public void Anything_but_a_snapshot_name_is_refused(string text) =>
        Assert.False(SnapshotName.TryParse(text, out _, out _));

    [Fact]
    public void A_GUID_keeps_all_its_bits_in_JSON()
    {
        var guid = new SnapshotGuid(18446744073709551557);

        var json = JsonSerializer.Serialize(guid);

        Assert.Equal("\"18446744073709551557\"", json);
        Assert.Equal(guid, JsonSerializer.Deserialize<SnapshotGuid>(json));
        Assert.Equal(guid, JsonSerializer.Deserialize<SnapshotGuid>("18446744073709551557"));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<SnapshotGuid>("\"0\""));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<SnapshotGuid>("-1"));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<SnapshotGuid>("1.5"));
    }
}
