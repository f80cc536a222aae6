using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Http;

/// <summary>
/// The stand-in for <c>zfs</c> for a server that stores in ZFS; its commands wait for as long as they are held.
/// </summary>
internal sealed class HeldZfs : IDisposable
{
    private const string Script = """
        #!/bin/sh
        here=${0%/*}
        [ ! -e $here/hold ] || : > $here/held.$$
        while [ -e $here/hold ]; do sleep 0.5; done
        PATH=${PATH#*:} exec zfs "$@"

        """;

    private readonly string _folder = Repository.NewFolder("held-zfs");

    /// <summary>Of a server.</summary>
    public IReadOnlyDictionary<string, string> Settings =>
        new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["PATH"] = string.Join(
                ':',
                _folder,
                Path.GetDirectoryName(Repository.StandIn),
                Environment.GetEnvironmentVariable("PATH")
            ),
            ["ZFS_STANDIN"] = _folder,
            ["ZFS_BASE_DATASET"] = "tank/backups",
        };

    /// <summary>How many commands wait.</summary>
    public int Held => Directory.GetFiles(_folder, "held.*").Length;

    private string HoldFile => Path.Combine(_folder, "hold");

    public static async Task<HeldZfs> CreateAsync()
    {
        var zfs = new HeldZfs();
        var program = Path.Combine(zfs._folder, "zfs");
        await File.WriteAllTextAsync(program, Script);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var created = await Command.RunAsync(program, ["create", "tank/backups"], environment: zfs.Settings);
        created.MustSucceed();
        return zfs;
    }

    /// <summary>Holds each command that starts from now on.</summary>
    public void Hold() => File.WriteAllText(HoldFile, "");

    public void Release() => File.Delete(HoldFile);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
