using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.UnitTests.Api;

/// <summary>Answers that a proxy, a captive portal or another program gives instead of zfs-server.</summary>
public sealed class ForeignAnswerTests
{
    private static readonly Uri Server = new("http://backup.example:8080/zfs/");

    [Theory]
    [InlineData(413, ExitCode.ServerFailed, "too large", "client_max_body_size 0", FailureKind.Server)]
    [InlineData(401, ExitCode.AccessDenied, "The key was not looked at", "password", FailureKind.User)]
    [InlineData(403, ExitCode.AccessDenied, "The key was not looked at", "firewall", FailureKind.User)]
    [InlineData(407, ExitCode.AccessDenied, "HTTP proxy", "no_proxy=backup.example", FailureKind.User)]
    [InlineData(404, ExitCode.NotFound, "404 Not Found", "path in SERVER_URL", FailureKind.Server)]
    [InlineData(502, ExitCode.ServerFailed, "502 Bad Gateway", "does not reach zfs-server", FailureKind.Transient)]
    [InlineData(503, ExitCode.ServerFailed, "503", "does not reach zfs-server", FailureKind.Transient)]
    [InlineData(504, ExitCode.ServerFailed, "504", "timeouts", FailureKind.Transient)]
    [InlineData(418, ExitCode.Failure, "418", "any proxy on the way", FailureKind.Server)]
    public void An_answer_without_an_error_code_is_explained(
        int status,
        ExitCode exitCode,
        string message,
        string remedy,
        FailureKind kind
    )
    {
        using var response = new HttpResponseMessage((HttpStatusCode)status);

        var failure = ForeignAnswer.Describe(Server, response);

        Assert.Equal(exitCode, failure.ExitCode);
        Assert.Equal(kind, failure.Kind);
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, failure.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://backup.example/zfs/status", "Set SERVER_URL=https://backup.example/zfs/")]
    [InlineData("https://backup.example:8443/zfs/status", "Set SERVER_URL=https://backup.example:8443/zfs/")]
    [InlineData("/login", "at which zfs-server itself answers")]
    [InlineData("https://evil.example/zfs/status", "at which zfs-server itself answers")]
    [InlineData(null, "at which zfs-server itself answers")]
    public void A_redirection_names_the_address_to_use(string? location, string remedy)
    {
        using var response = new HttpResponseMessage(HttpStatusCode.PermanentRedirect);
        response.Headers.Location = location is null ? null : new Uri(location, UriKind.RelativeOrAbsolute);

        var failure = ForeignAnswer.Describe(Server, response);

        Assert.Equal(ExitCode.Configuration, failure.ExitCode);
        Assert.Contains("redirects to", failure.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, failure.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/html", "answered with a web page", "captive portal")]
    [InlineData("text/plain", "does not answer like a zfs-server: no JSON", "SERVER_URL")]
    public void A_success_with_another_body_is_explained(string type, string message, string remedy)
    {
        using var response = new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("hello") };
        response.Content.Headers.ContentType = new MediaTypeHeaderValue(type);

        var failure = ForeignAnswer.DescribeBody(Server, response, new JsonException("no JSON"));

        Assert.Equal(ExitCode.ServerFailed, failure.ExitCode);
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, failure.Remedy, StringComparison.Ordinal);
    }
}
