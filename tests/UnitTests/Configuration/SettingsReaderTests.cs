using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.UnitTests.Configuration;

public sealed class SettingsReaderTests
{
    [Fact]
    public void All_faults_are_reported_together_with_key_value_and_origin()
    {
        var settings = Settings(("PORT", "99999"), ("FLAG", "perhaps"), ("BIND", "everywhere"));

        settings.Number("PORT", 8080, 0, 65535);
        settings.Flag("FLAG", fallback: true);
        settings.Address("BIND", System.Net.IPAddress.Any);
        settings.Required("MISSING");

        var refused = Assert.Throws<OperationException>(settings.ThrowIfFaulty);
        Assert.Equal(ExitCode.Configuration, refused.ExitCode);
        foreach (
            var part in (string[])["PORT=99999 (from .env)", "FLAG=perhaps", "BIND=everywhere", "MISSING is missing"]
        )
            Assert.Contains(part, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_setting_counts_as_missing()
    {
        var settings = Settings(("PORT", ""));

        Assert.Equal(8080, settings.Number("PORT", 8080, 0, 65535));
        settings.ThrowIfFaulty();
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("YES", true)]
    [InlineData("0", false)]
    [InlineData("off", false)]
    public void Flags_are_read_in_the_usual_ways(string text, bool value) =>
        Assert.Equal(value, Settings(("FLAG", text)).Flag("FLAG", !value));

    [Theory]
    [InlineData("backup-server:8080")]
    [InlineData("ftp://backup-server")]
    [InlineData("http://user:password@backup-server")]
    public void A_wrong_server_address_is_refused_and_the_key_is_not_shown(string url)
    {
        var settings = Settings(("CLIENT_ID", "c"), ("API_KEY", "secret-key"), ("SERVER_URL", url));

        var refused = Assert.Throws<OperationException>(() => ServerConnection.Read(settings));

        Assert.Contains("SERVER_URL", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-key", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_secret_is_not_printed()
    {
        Assert.DoesNotContain(
            "hunter2",
            $"{new ServerConnection("c", new Secret("hunter2"), new Uri("http://x/"))}",
            StringComparison.Ordinal
        );
    }

    private static SettingsReader Settings(params (string Key, string Value)[] settings) =>
        new(settings.ToDictionary(s => s.Key, s => new Setting(s.Value, ".env")));
}
