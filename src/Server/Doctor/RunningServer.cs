using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Doctor;

/// <summary>The server that runs on this DATA_DIR, as its <c>GET /ready</c> shows it.</summary>
internal static class RunningServer
{
    /// <summary>The check of <c>clients.json</c>, whose result is as new as the request.</summary>
    public const string ClientsCheck = "clients";

    /// <summary>More than <c>GET /ready</c> needs for its own checks.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static bool Exists(ServerSettings settings) => DataDirectory.IsLocked(settings.DataDirectory);

    /// <exception cref="OperationException">It does not answer, or something else does.</exception>
    public static async Task<ReadyAnswer> AskAsync(ServerSettings settings, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { Timeout = Patience };
        var address = AddressOf(settings);
        try
        {
            using var response = await http.GetAsync(address, cancellationToken);
            return await response.Content.ReadFromJsonAsync(ApiJson.Default.ReadyAnswer, cancellationToken)
                ?? throw new JsonException("the answer is empty");
        }
        catch (Exception e)
            when (e is HttpRequestException or JsonException or InvalidOperationException
                || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
            )
        {
            throw new OperationException(
                ExitCode.Unreachable,
                $"is running on this DATA_DIR, but {address} did not answer correctly: {e.Message}",
                "Check its log, and that it was started with the same BIND_ADDRESS and PORT.",
                e
            );
        }
    }

    /// <summary>Finds out whether the server uses <c>clients.json</c> as it is now.</summary>
    public static async Task<UseOfClients> UsesClientsAsync(
        ServerSettings settings,
        CancellationToken cancellationToken
    )
    {
        if (!Exists(settings))
            return new UseOfClients($"No server runs on {settings.DataDirectory}; the next start uses it.");
        try
        {
            var answer = await AskAsync(settings, cancellationToken);
            if (answer.Checks.FirstOrDefault(check => check.Name == ClientsCheck) is { Ok: false } check)
                return new UseOfClients(
                    $"The running server did not accept the change: {check.Message} Check that its user can read "
                        + $"{settings.ClientsFile}.",
                    IsRefused: true
                );
            return new UseOfClients("The running server uses it.");
        }
        catch (OperationException e)
        {
            return new UseOfClients(
                $"The server {e.Message.TrimEnd('.')}. If its log says 'Read {settings.ClientsFile} again', it uses "
                    + "the change.",
                IsUnknown: true
            );
        }
    }

    private static Uri AddressOf(ServerSettings settings)
    {
        var anywhere = settings.BindAddress.Equals(IPAddress.IPv6Any) || settings.BindAddress.Equals(IPAddress.Any);
        return new UriBuilder(
            "http",
            (anywhere ? IPAddress.Loopback : settings.BindAddress).ToString(),
            settings.Port,
            "ready"
        ).Uri;
    }
}

/// <param name="Text">For the administrator.</param>
/// <param name="IsRefused">Whether the server runs with the clients as they were.</param>
/// <param name="IsUnknown">Whether nobody knows what it uses.</param>
internal sealed record UseOfClients(string Text, bool IsRefused = false, bool IsUnknown = false);
