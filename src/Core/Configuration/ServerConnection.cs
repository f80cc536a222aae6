namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>The settings with which zfs-client and zfs-restore reach their server.</summary>
public sealed record ServerConnection(string ClientId, Secret ApiKey, Uri ServerUrl)
{
    /// <summary>
    /// PEM file with the authorities trusted for the server's certificate; null: the system's.
    /// </summary>
    public string? CaFile { get; init; }

    public static ServerConnection Read(SettingsReader settings)
    {
        var clientId = settings.Required("CLIENT_ID", ParseClientId);
        var apiKey = ReadApiKey(settings);
        if (!apiKey.Reveal().All(c => c is > ' ' and <= '~'))
            settings.SecretFault(
                settings.Prevails("API_KEY_FILE", "API_KEY") ? "API_KEY_FILE" : "API_KEY",
                "contains characters that no key has"
            );
        var url = settings.Required("SERVER_URL", ParseUrl);
        if (url?.UserInfo.Length > 0)
            settings.SecretFault("SERVER_URL", "must not contain a user name or password");
        var caFile = settings.Optional("TLS_CA_FILE", ParseFile);
        settings.ThrowIfFaulty();
        return new ServerConnection(clientId!, apiKey, url!) { CaFile = caFile };
    }

    private static Secret ReadApiKey(SettingsReader settings)
    {
        if (!settings.Prevails("API_KEY_FILE", "API_KEY") || settings.Text("API_KEY_FILE") is not { } path)
            return new Secret(settings.Required("API_KEY"));
        try
        {
            var key = File.ReadAllText(path).Trim();
            if (key.Length == 0)
                settings.SecretFault("API_KEY_FILE", $"names {path}, which is empty");
            return new Secret(key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            settings.SecretFault("API_KEY_FILE", $"cannot be read: {e.Message}");
            return new Secret("");
        }
    }

    private static string ParseClientId(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? text
            : throw new FormatException("it may have letters, digits, '-', '_' and '.'");

    private static string ParseFile(string text) =>
        File.Exists(text) ? Path.GetFullPath(text) : throw new FormatException("the file does not exist");

    private static Uri ParseUrl(string text)
    {
        if (
            !Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out var url)
            || url.Scheme is not ("http" or "https")
        )
        {
            throw new FormatException("it must look like http://backup-server:8080 or https://backup-server");
        }

        return url;
    }
}
