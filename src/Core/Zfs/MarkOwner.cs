using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// Whose a mark, a hold or a bookmark is: a client of a server. Several servers may back up one dataset, and each
/// leaves alone what it does not own.
/// </summary>
/// <param name="Server">The id of the server's catalogue; for a server that does not tell it, a digest of its
/// URL.</param>
/// <param name="Client">CLIENT_ID.</param>
public sealed record MarkOwner(string Server, string Client)
{
    private const int TagLength = 8;
    private const int MaxLength = 128;

    /// <summary>Of a server before it told its id.</summary>
    private const string UrlPrefix = "url-";

    private const string HoldPrefix = "zsm-upload-";

    /// <summary>Eight letters that stand for the owner where a whole name has no room.</summary>
    public string Tag => MakeTag(Server, Client);

    /// <summary>The tag of holds on snapshots that are being uploaded.</summary>
    public string HoldTag => HoldPrefix + Tag;

    /// <param name="serverId">What the server says its id is; null if it says nothing.</param>
    /// <param name="serverUrl">SERVER_URL.</param>
    /// <param name="client">CLIENT_ID.</param>
    public static MarkOwner Of(string? serverId, Uri serverUrl, string client) =>
        new(IsComponent(serverId) ? serverId : OfUrl(serverUrl), client);

    /// <summary>
    /// The owner of marks that were made while the server did not tell its id yet, so that an upgrade of the server
    /// orphans nothing.
    /// </summary>
    public static MarkOwner OfOlderServer(Uri serverUrl, string client) => new(OfUrl(serverUrl), client);

    public static bool TryParse(string text, [NotNullWhen(true)] out MarkOwner? owner)
    {
        owner =
            text.Split('/') is [var server, var client] && IsComponent(server) && IsComponent(client)
                ? new MarkOwner(server, client)
                : null;
        return owner is not null;
    }

    /// <summary>The bookmark that is made of a snapshot when the server has its backup.</summary>
    public SnapshotName BookmarkOf(SnapshotName snapshot, SnapshotGuid guid)
    {
        var leaf = $"{snapshot.Leaf}.{Tag}";
        return snapshot.Dataset.Value.Length + 1 + leaf.Length <= DatasetName.MaxLength
            ? new SnapshotName(snapshot.Dataset, '#', leaf)
            : ShortBookmarkOf(snapshot, guid);
    }

    /// <summary>
    /// A bookmark's name that is shorter than any name of a snapshot that this program makes, and unique like the
    /// snapshot's GUID.
    /// </summary>
    public SnapshotName ShortBookmarkOf(SnapshotName snapshot, SnapshotGuid guid) =>
        new(snapshot.Dataset, '#', $"{guid.Value:x16}.{Tag}");

    /// <summary>Bookmarks have no user properties, so their name says whose they are.</summary>
    public bool OwnsBookmark(SnapshotName name) => FindTag(name) == Tag;

    /// <returns>The tag in a bookmark's name; null if it has none.</returns>
    public static string? FindTag(SnapshotName bookmark)
    {
        var end = bookmark.Leaf.LastIndexOf('.');
        var tag = bookmark.Leaf[(end + 1)..];
        return bookmark.IsBookmark && end > 0 && tag.Length == TagLength && tag.All(char.IsAsciiLetterLower)
            ? tag
            : null;
    }

    public override string ToString() => $"{Server}/{Client}";

    private static bool IsComponent([NotNullWhen(true)] string? text) =>
        text is { Length: > 0 and <= MaxLength }
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static string OfUrl(Uri url) =>
        UrlPrefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(url.AbsoluteUri)))[..16];

    /// <summary>37 bits of a digest: two owners of one dataset have the same tag once in 10^11 cases.</summary>
    private static string MakeTag(string server, string client)
    {
        var digest = BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes($"{server}/{client}")));
        return string.Create(TagLength, digest, static (letters, value) =>
        {
            foreach (ref var letter in letters)
            {
                letter = (char)('a' + (value % 26));
                value /= 26;
            }
        });
    }
}
