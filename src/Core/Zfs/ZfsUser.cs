using System.Globalization;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>The user that <c>zfs</c> runs as, on the machine where it runs.</summary>
/// <param name="Id">The user's number; 0 is root.</param>
/// <param name="Name">The user's name.</param>
/// <param name="Groups">Names of the user's groups.</param>
public sealed record ZfsUser(uint Id, string Name, IReadOnlyList<string> Groups)
{
    /// <summary>Whether the user may do everything.</summary>
    public bool IsRoot => Id == 0;

    public static async Task<ZfsUser> GetAsync(ZfsHost zfs, CancellationToken cancellationToken)
    {
        var id = await zfs.RunOtherAsync("id", ["-u"], cancellationToken);
        var name = await zfs.RunOtherAsync("id", ["-un"], cancellationToken);
        var groups = await zfs.RunOtherAsync("id", ["-Gn"], cancellationToken);
        return new ZfsUser(
            uint.Parse(id.Trim(), CultureInfo.InvariantCulture),
            name.Trim(),
            groups.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)
        );
    }
}
