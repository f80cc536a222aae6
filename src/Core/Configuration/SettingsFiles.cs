namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>
/// Reads settings from <c>.env</c> in the working directory, then a file in /etc, then the environment, then the
/// command line. Later values replace earlier ones.
/// </summary>
public static class SettingsFiles
{
    private const int MaxFileSize = 1024 * 1024;
    private const string LocalName = ".env";

    /// <param name="program">Whose settings.</param>
    /// <param name="flags">Settings of the command line; they replace all others.</param>
    public static SettingsReader Read(ProgramSettings program, IReadOnlyDictionary<string, string?>? flags = null)
    {
        var found = new SettingsSearch(program);
        var named = Environment.GetEnvironmentVariable(ProgramSettings.FileVariable);
        var systemFile = string.IsNullOrEmpty(named) ? program.SystemFile : Path.GetFullPath(named);
        ReadLocalFile(found);
        ReadSystemFile(found, systemFile, mustExist: systemFile != program.SystemFile);
        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (variable.Value is string { Length: > 0 } value)
                found.Add((string)variable.Key, value, "the environment", SettingSource.Environment);
        }

        foreach (var (key, value) in flags ?? new Dictionary<string, string?>(StringComparer.Ordinal))
        {
            if (value is not null)
                found.Add(key, value, "the command line", SettingSource.CommandLine);
        }

        var settings = found.Finish();
        foreach (var warning in found.Warnings)
            CommandWarnings.Add(warning, Console.Error);
        return settings;
    }

    /// <param name="fault">Why a file cannot be read.</param>
    internal static string RemedyFor(Exception fault) =>
        fault is UnauthorizedAccessException
            ? "Make it readable for the user that runs this program, with chown or chmod."
            : $"{ProgramSettings.FileVariable} can name another file.";

    private static void ReadSystemFile(SettingsSearch found, string path, bool mustExist)
    {
        if (!mustExist && !File.Exists(path))
            return;
        try
        {
            found.AddFile(EnvFile.Parse(File.ReadAllText(path)), path, SettingSource.SystemFile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"{path} cannot be read: {e.Message}",
                RemedyFor(e),
                e
            );
        }
    }

    /// <summary>
    /// A working directory can be anybody's, and its <c>.env</c> another program's: only what its owner could decide
    /// anyway is believed, and nothing that is wrong with it stands in the way unless it is used.
    /// </summary>
    private static void ReadLocalFile(SettingsSearch found)
    {
        var path = Path.GetFullPath(LocalName);
        if (!File.Exists(path))
            return;
        try
        {
            var distrust = FileOwner.FindDistrust(path);
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            distrust ??= FileOwner.FindDistrust(file.SafeFileHandle);
            if (file.Length > MaxFileSize)
                return; // another program's
            using var reader = new StreamReader(file);
            var content = EnvFile.Parse(reader.ReadToEnd());
            if (distrust is null)
                found.AddFile(content, LocalName, SettingSource.LocalFile);
            else
                found.Distrust(content, path, distrust);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            found.Warnings.Add($"{path} is ignored: it cannot be read: {e.Message}");
        }
    }
}
