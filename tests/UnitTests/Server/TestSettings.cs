using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.UnitTests.Server;

internal static class TestSettings
{
    /// <summary>A server's settings as they are read, with these set.</summary>
    public static ServerSettings In(TemporaryFolder folder, params (string Name, string Value)[] settings) =>
        ServerSettings.Read(
            new SettingsReader(
                settings
                    .Append(("DATA_DIR", folder.Path))
                    .ToDictionary(
                        setting => setting.Item1,
                        setting => new Setting(setting.Item2, "a test"),
                        StringComparer.Ordinal
                    )
            )
        );
}
