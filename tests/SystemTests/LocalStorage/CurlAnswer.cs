using System.Text.Json;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>The response that curl got on the ZFS machine.</summary>
internal sealed record CurlAnswer(int Status, string Text)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;

    public CurlAnswer MustSucceed() =>
        Status == 200 ? this : throw new InvalidOperationException($"The server answered {Status}: {Text}");

    public void AssertRefused(int status, string code, params string[] says)
    {
        Assert.True(Status == status, $"expected {status} {code}, got {Status}: {Text}");
        Assert.Equal(code, Json.GetProperty("code").GetString());
        foreach (var part in says)
            Assert.Contains(part, Json.GetProperty("message").GetString()!, StringComparison.Ordinal);
    }
}
