using System.Globalization;
using ZfsSnapshotManager.Client.Backup;

namespace ZfsSnapshotManager.UnitTests.Client;

public sealed class AnnouncedPropertiesTests
{
    [Fact]
    public void Properties_of_this_program_are_not_sent()
    {
        var (sent, leftOut) = AnnouncedProperties.ToSend(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["zfs-snapshot-manager:upload"] = "pending",
                ["recordsize"] = "1048576",
            }
        );

        Assert.Equal(["recordsize"], sent!.Keys);
        Assert.Empty(leftOut);
    }

    [Fact]
    public void Without_properties_none_are_sent() =>
        Assert.Null(AnnouncedProperties.ToSend(new Dictionary<string, string>(StringComparer.Ordinal)).Sent);

    [Fact]
    public void Only_properties_that_are_too_long_are_left_out()
    {
        var (sent, leftOut) = AnnouncedProperties.ToSend(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["a:long"] = new('x', 16 * 1024),
                ["b:short"] = "1",
                ["compression"] = "zstd",
            }
        );

        Assert.Equal(["b:short", "compression"], sent!.Keys);
        Assert.Equal(["a:long"], leftOut);
    }

    [Fact]
    public void No_more_properties_are_sent_than_the_server_accepts()
    {
        var (sent, leftOut) = AnnouncedProperties.ToSend(
            Enumerable
                .Range(100, 202)
                .ToDictionary(
                    number => string.Create(CultureInfo.InvariantCulture, $"my:{number}"),
                    _ => "value",
                    StringComparer.Ordinal
                )
        );

        Assert.Equal(200, sent!.Count);
        Assert.Equal(["my:300", "my:301"], leftOut);
    }
}
