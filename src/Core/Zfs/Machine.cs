using System.Security.Cryptography;
using System.Text;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// The machine that data come from, told apart from others that use the same CLIENT_ID: clones of a machine, for
/// example.
/// </summary>
/// <param name="Id">A digest of /etc/machine-id, which machine-id(5) asks not to pass on as it is; 16 hex
/// digits.</param>
/// <param name="Name">The host name, for people.</param>
public sealed record Machine(string Id, string Name)
{
    private const int IdLength = 16;
    private const int MaxNameLength = 64;

    /// <summary>
    /// FreeBSD has a UUID in /etc/hostid; on Linux that file is binary and is not read. Without any of them the host
    /// name stands for the machine. The lines are marked, because the second one may be missing.
    /// </summary>
    private const string Script =
        "echo zsm-name=$(uname -n); for f in /etc/machine-id /var/lib/dbus/machine-id; do [ -s $f ] && break; done; "
        + "[ -s $f ] || [ $(uname) = Linux ] || f=/etc/hostid; [ ! -s $f ] || echo zsm-id=$(head -c 64 $f)";

    private const string NameMark = "zsm-name=";
    private const string IdMark = "zsm-id=";

    private static readonly string[] IdFiles = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

    /// <summary>This machine.</summary>
    public static Machine Local { get; } = Of(IdFiles.Select(TryRead).FirstOrDefault(IsId), Environment.MachineName);

    /// <summary>The machine on which <c>zfs</c> runs.</summary>
    public static async Task<Machine> FindAsync(ZfsHost zfs, CancellationToken cancellationToken)
    {
        if (zfs.Remote is not { } remote)
            return Local;
        try
        {
            var lines = (await zfs.RunOtherAsync("sh", ["-c", Script], cancellationToken)).Split('\n');
            var id = Find(lines, IdMark);
            return Of(IsId(id) ? id : null, Find(lines, NameMark) ?? remote.Destination);
        }
        catch (ZfsException e) when (e.End == ZfsEnd.Refused)
        {
            return Of(null, remote.Destination); // an appliance without a shell
        }
    }

    /// <summary>
    /// The machine that a setting names instead: the nodes of a cluster are one machine to the server.
    /// </summary>
    public static Machine Named(string name) => Of(null, name);

    /// <param name="machineId">Null: the name stands for it.</param>
    /// <param name="name">The host name.</param>
    public static Machine Of(string? machineId, string name)
    {
        var source = machineId is null ? $"name {name}" : $"id {machineId}";
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes($"zfs-snapshot-manager machine {source}"));
        string shown = new([.. name.Where(IsShown).Take(MaxNameLength)]);
        return new Machine(Convert.ToHexStringLower(digest)[..IdLength], shown.Length > 0 ? shown : "unknown");
    }

    /// <summary>What a client may say about its machine.</summary>
    public static bool IsValid(string id, string name) =>
        id.Length == IdLength
        && id.All(char.IsAsciiHexDigitLower)
        && name.Length is > 0 and <= MaxNameLength
        && name.All(IsShown);

    private static bool IsShown(char c) => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '@' or ':';

    /// <summary>Before a machine's first boot the file is empty or says "uninitialized" (machine-id(5)).</summary>
    private static bool IsId(string? text) =>
        text is { Length: >= 32 }
        && text.All(c => char.IsAsciiHexDigit(c) || c == '-')
        && text.Any(c => c is not ('0' or '-'));

    private static string? Find(string[] lines, string mark) =>
        Array.Find(lines, line => line.StartsWith(mark, StringComparison.Ordinal))?[mark.Length..].Trim();

    private static string? TryRead(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
