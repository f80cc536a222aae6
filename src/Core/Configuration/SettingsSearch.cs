namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>Collects what the sources of settings have, and what is wrong with the files.</summary>
internal sealed class SettingsSearch(ProgramSettings program)
{
    private readonly Dictionary<string, Setting> _settings = new(StringComparer.Ordinal);
    private readonly List<string> _faults = [];
    private EnvFile? _local;
    private string _localOrigin = "";

    /// <summary>What the user should know although the command can do its work.</summary>
    public List<string> Warnings { get; } = [];

    public void Add(string name, string value, string origin, SettingSource source) =>
        _settings[name] = new Setting(value, origin, source);

    public void AddFile(EnvFile file, string origin, SettingSource source)
    {
        foreach (var line in file.Lines)
        {
            // An empty value counts as missing, and must not hide that of an earlier source.
            if (line.Value.Length > 0)
                Add(line.Name, line.Value, origin, source);
        }

        if (source == SettingSource.LocalFile)
        {
            (_local, _localOrigin) = (file, origin);
            return;
        }

        AddFaults(file, origin);
        foreach (var line in file.Lines.Where(line => !program.Names.Contains(line.Name)))
            _faults.Add($"{line.Name} ({origin}, line {line.Number}) is not a setting{Suggest(line.Name)}");
    }

    /// <summary>A file that somebody else wrote, or could have written.</summary>
    public void Distrust(EnvFile file, string path, string why)
    {
        var names = file.Lines.Select(line => line.Name).Where(program.Names.Contains).Distinct().ToList();
        if (names.Count > 0)
            Warnings.Add(
                $"{path} is ignored, because it {why}. It would set {string.Join(", ", names)}. If you trust it, make "
                    + $"it yours (chown, chmod 600), or name it with {ProgramSettings.FileVariable}."
            );
    }

    public SettingsReader Finish()
    {
        if (_local is not null)
            CheckLocalFile(_local);
        return new SettingsReader(_settings, _faults);
    }

    private void CheckLocalFile(EnvFile file)
    {
        if (
            _settings.TryGetValue(ProgramSettings.NeverInWorkingDirectory, out var host)
            && host.Source == SettingSource.LocalFile
        )
        {
            _settings.Remove(ProgramSettings.NeverInWorkingDirectory);
            _faults.Add(
                $"{ProgramSettings.NeverInWorkingDirectory} ({_localOrigin}) is not accepted from a file in the "
                    + $"working directory, since it decides where commands run; set it in {program.SystemFile}, in "
                    + $"the environment, or in a file that {ProgramSettings.FileVariable} names"
            );
        }

        var mistyped = file
            .Lines.Where(line => !program.Names.Contains(line.Name) && FindNearest(line.Name) is not null)
            .Select(line => $"{line.Name} ({_localOrigin}, line {line.Number}) is not a setting{Suggest(line.Name)}");
        var isUsed = _settings.Any(setting =>
            setting.Value.Source == SettingSource.LocalFile && program.Names.Contains(setting.Key)
        );
        if (isUsed)
        {
            AddFaults(file, _localOrigin);
            _faults.AddRange(mistyped);
        }
        else
        {
            Warnings.AddRange(mistyped);
        }
    }

    private void AddFaults(EnvFile file, string origin)
    {
        _faults.AddRange(file.Faults.Select(fault => $"{origin} {fault}"));
        foreach (
            var group in file
                .Lines.Where(line => program.Names.Contains(line.Name))
                .GroupBy(line => line.Name, StringComparer.Ordinal)
                .Where(group => group.Count() > 1)
        )
            _faults.Add($"{group.Key} is set twice ({origin}, {Describe(group)})");
    }

    private static string Describe(IEnumerable<EnvLine> lines) =>
        $"lines {string.Join(" and ", lines.Select(line => line.Number))}";

    private string? FindNearest(string name) => SettingNames.FindNearest(name, program.Names);

    private string Suggest(string name) => FindNearest(name) is { } nearest ? $"; did you mean {nearest}?" : "";
}
