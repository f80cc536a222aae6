using dotenv.net;

namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>
/// Reads settings from <c>.env</c> in the working directory, then a file in /etc, then the environment. Later values
/// replace earlier ones.
/// </summary>
public static class SettingsFiles
{
    /// <param name="systemFile">Such as <c>/etc/zfs-client.env</c>.</param>
    /// <param name="flags">Settings of the command line; they replace all others.</param>
    public static SettingsReader Read(string systemFile, IReadOnlyDictionary<string, string?>? flags = null)
    {
        var settings = new Dictionary<string, Setting>(StringComparer.Ordinal);
        AddFile(settings, Path.GetFullPath(".env"), ".env");
        AddFile(settings, systemFile, systemFile);
        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (variable.Value is string { Length: > 0 } value)
                settings[(string)variable.Key] = new Setting(value, "the environment");
        }

        foreach (var (key, value) in flags ?? new Dictionary<string, string?>(StringComparer.Ordinal))
        {
            if (value is not null)
                settings[key] = new Setting(value, "the command line");
        }

        return new SettingsReader(settings);
    }

    private static void AddFile(Dictionary<string, Setting> settings, string path, string origin)
    {
        if (!File.Exists(path))
            return;
        try
        {
            CheckLines(path);
            foreach (
                var (key, value) in DotEnv.Read(
                    new DotEnvOptions(ignoreExceptions: false, envFilePaths: [path], trimValues: true)
                )
            )
            {
                var name = key.StartsWith("export ", StringComparison.Ordinal) ? key["export ".Length..].Trim() : key;
                settings[name] = new Setting(value, origin);
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"{origin} cannot be read: {e.Message}",
                RemedyFor(e),
                e
            );
        }
    }

    /// <param name="fault">Why a file cannot be read.</param>
    internal static string RemedyFor(Exception fault) =>
        fault is UnauthorizedAccessException
            ? "Make it readable for the user that runs this program, with chown or chmod."
            : "Each line is NAME=value; lines that start with # are comments.";

    /// <summary>
    /// dotenv.net skips lines that it does not understand; a mistyped line must not be ignored without a message.
    /// </summary>
    private static void CheckLines(string path)
    {
        foreach (var (index, line) in File.ReadLines(path).Index())
        {
            var text = line.Trim();
            if (text.Length > 0 && text[0] != '#' && text.IndexOf('=', StringComparison.Ordinal) <= 0)
                throw new FormatException($"line {index + 1} is not NAME=value");
        }
    }
}

/// <param name="Value">As written.</param>
/// <param name="Origin">Where it was found, for messages.</param>
public sealed record Setting(string Value, string Origin);
