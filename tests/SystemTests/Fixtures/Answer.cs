using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>An answer of the server, read to its end.</summary>
internal sealed record Answer(
    HttpStatusCode Status,
    string Text,
    HttpResponseHeaders Headers,
    HttpContentHeaders ContentHeaders
)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;

    public string? Code => Json.TryGetProperty("code", out var code) ? code.GetString() : null;

    public string Message => Json.GetProperty("message").GetString()!;

    public static async Task<Answer> ReadAsync(HttpResponseMessage response)
    {
        using (response)
        {
            return new Answer(
                response.StatusCode,
                await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
                response.Headers,
                response.Content.Headers
            );
        }
    }

    public Answer MustSucceed() =>
        Status == HttpStatusCode.OK
            ? this
            : throw new InvalidOperationException($"The server answered {(int)Status}: {Text}");

    /// <summary>Every refusal is JSON that says so, with a stable code and a message for people.</summary>
    public void AssertRefused(HttpStatusCode status, string code, params string[] says)
    {
        Assert.True(Status == status, $"expected {(int)status} {code}, got {(int)Status}: {Text}");
        Assert.Equal("application/json", ContentHeaders.ContentType?.MediaType);
        Assert.False(Json.GetProperty("success").GetBoolean());
        Assert.Equal(code, Code);
        Assert.NotEqual("", Message);
        foreach (var part in says)
            Assert.Contains(part, Message, StringComparison.Ordinal);
    }
}
