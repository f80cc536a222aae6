using System.Globalization;
using System.Net;
using System.Text.Json;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>Requests with the real curl, written as a user writes them.</summary>
internal static class Curl
{
    /// <summary>Runs a shell command whose last program is curl.</summary>
    /// <param name="command">With <c>curl</c> and its arguments; <c>$URL</c> is the server's address, <c>$ID</c> and
    /// <c>$KEY</c> the client's.</param>
    public static async Task<CurlAnswer> RunAsync(ServerProcess server, Uploader client, string command)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["URL"] = server.Http.BaseAddress!.ToString().TrimEnd('/'),
            ["ID"] = client.Id,
            ["KEY"] = client.Key,
        };
        var silent = command.Replace("curl ", "curl -sS -w '\\n%{http_code}' ", StringComparison.Ordinal);
        var result = await Command.RunAsync("bash", ["-o", "pipefail", "-c", silent], client.Folder, environment);
        var end = result.Output.LastIndexOf('\n');
        return new CurlAnswer(
            result.ExitCode,
            (HttpStatusCode)int.Parse(result.Output[(end + 1)..], CultureInfo.InvariantCulture),
            result.Output[..end],
            result.Error
        );
    }
}

/// <summary>What curl printed.</summary>
internal sealed record CurlAnswer(int ExitCode, HttpStatusCode Status, string Text, string Error)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;

    public CurlAnswer MustSucceed() =>
        ExitCode == 0 && Status == HttpStatusCode.OK
            ? this
            : throw new InvalidOperationException(
                $"curl ended with exit code {ExitCode}, the server answered {(int)Status}: {Text}\n{Error}"
            );
}
