using System.Net;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// Answers that are not zfs-server's, since they lack its error code: of a proxy on the way, a captive portal, or
/// another program at that address.
/// </summary>
internal static class ForeignAnswer
{
    private const string AnswerOfAProxy = "This answer is not zfs-server's, but of a proxy on the way.";

    /// <summary>Explains an answer with the status of an error or a redirection.</summary>
    /// <param name="server">SERVER_URL.</param>
    /// <param name="response">The answer.</param>
    public static ApiException Describe(Uri server, HttpResponseMessage response)
    {
        var status = response.StatusCode;
        var number = $"{(int)status} {response.ReasonPhrase}".TrimEnd();
        return (int)status switch
        {
            413 => new ApiException(
                ExitCode.ServerFailed,
                status,
                code: null,
                $"A proxy before {server} refuses a request as too large ({number}). What was stored before is kept.",
                "Let the proxy pass bodies of any size, unbuffered. nginx: 'client_max_body_size 0;' and "
                    + "'proxy_request_buffering off;'; Apache: 'LimitRequestBody 0'.",
                FailureKind.Server
            ),
            407 => new ApiException(
                ExitCode.AccessDenied,
                status,
                code: null,
                $"The HTTP proxy that the environment names wants a password ({number}).",
                $"Put it into the variable of the proxy (https_proxy=http://USER:PASSWORD@PROXY), or exclude the "
                    + $"server with no_proxy={server.Host}.",
                FailureKind.User
            ),
            401 or 403 => new ApiException(
                ExitCode.AccessDenied,
                status,
                code: null,
                $"A proxy before {server} refuses the request ({number}). The key was not looked at.",
                $"{AnswerOfAProxy} Exempt the server's paths from its password, filter or firewall.",
                FailureKind.User
            ),
            >= 300 and < 400 => DescribeRedirect(server, response, number),
            _ => new ApiException(ExitCodeOf(status), status, null, $"{server} answered {number}.", RemedyFor(status)),
        };
    }

    /// <summary>Explains a success whose body is no answer of zfs-server.</summary>
    public static OperationException DescribeBody(Uri server, HttpResponseMessage response, Exception why)
    {
        var isPage = response.Content.Headers.ContentType?.MediaType is "text/html" or "application/xhtml+xml";
        return new OperationException(
            ExitCode.ServerFailed,
            isPage
                ? $"{server} answered with a web page and not like a zfs-server."
                : $"{server} does not answer like a zfs-server: {why.Message}",
            isPage
                ? "A proxy, the login page of a network (captive portal) or another program answers there. Check "
                    + $"SERVER_URL, and see what 'curl -i {server}health' prints."
                : "Check SERVER_URL.",
            why
        );
    }

    private static ApiException DescribeRedirect(Uri server, HttpResponseMessage response, string number)
    {
        var target = response.Headers.Location is { } location ? new Uri(server, location) : null;
        var isSame = target is not null && target.Host == server.Host && target.Scheme != server.Scheme;
        return new ApiException(
            ExitCode.Configuration,
            response.StatusCode,
            code: null,
            $"{server} redirects to {target?.ToString() ?? "another address"} ({number}). The key was not sent there.",
            isSame
                ? $"Set SERVER_URL={new UriBuilder(server) { Scheme = target!.Scheme, Port = PortOf(target) }.Uri}"
                : "Set SERVER_URL to the address at which zfs-server itself answers.",
            FailureKind.Server
        );
    }

    /// <returns>-1 for the usual one, as <see cref="UriBuilder"/> wants it.</returns>
    private static int PortOf(Uri url) => url.IsDefaultPort ? -1 : url.Port;

    private static ExitCode ExitCodeOf(HttpStatusCode status) =>
        status switch
        {
            HttpStatusCode.NotFound => ExitCode.NotFound,
            HttpStatusCode.RequestTimeout => ExitCode.Unreachable,
            HttpStatusCode.InsufficientStorage => ExitCode.NoSpace,
            >= HttpStatusCode.InternalServerError => ExitCode.ServerFailed,
            _ => ExitCode.Failure,
        };

    private static string RemedyFor(HttpStatusCode status) =>
        status switch
        {
            HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout =>
                $"{AnswerOfAProxy} It does not reach zfs-server: check that it runs, and the proxy's address for it "
                    + "and its timeouts.",
            HttpStatusCode.NotFound =>
                "This answer is not zfs-server's: check the path in SERVER_URL and the paths that a proxy passes on.",
            _ => "This answer is not zfs-server's: check SERVER_URL and any proxy on the way.",
        };
}
