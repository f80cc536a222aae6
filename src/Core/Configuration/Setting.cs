namespace ZfsSnapshotManager.Core.Configuration;

/// <param name="Value">As written.</param>
/// <param name="Origin">Where it was found, for messages.</param>
/// <param name="Source">The kind of place.</param>
public sealed record Setting(string Value, string Origin, SettingSource Source = SettingSource.SystemFile);

/// <summary>Where settings come from; later ones replace earlier ones.</summary>
public enum SettingSource
{
    /// <summary><c>.env</c> in the working directory.</summary>
    LocalFile,

    /// <summary>The file in /etc, or the one that ZFS_SETTINGS_FILE names.</summary>
    SystemFile,

    Environment,

    CommandLine,
}
