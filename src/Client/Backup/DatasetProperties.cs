using System.Text;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>Chooses the properties of a dataset that are stored with its backup.</summary>
internal static class DatasetProperties
{
    /// <summary>The server accepts no more (docs/http-api.md).</summary>
    private const int MaxCount = 200;

    private const int MaxBytes = 16 * 1024;

    /// <summary>
    /// As many as the server accepts, in the order of their names. Properties of this program are left out: they say
    /// nothing about the data.
    /// </summary>
    /// <returns>The properties to send, null if there are none; and the names of those that do not fit.</returns>
    public static (IReadOnlyDictionary<string, string>? Sent, IReadOnlyList<string> LeftOut) ToSend(
        IReadOnlyDictionary<string, string> own
    )
    {
        var sent = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var leftOut = new List<string>();
        var room = MaxBytes;
        foreach (
            var (name, value) in own.Where(property =>
                    !property.Key.StartsWith("zfs-snapshot-manager:", StringComparison.Ordinal)
                )
                .OrderBy(property => property.Key, StringComparer.Ordinal)
        )
        {
            var bytes = Encoding.UTF8.GetByteCount(name) + Encoding.UTF8.GetByteCount(value);
            if (bytes > room || sent.Count == MaxCount)
            {
                leftOut.Add(name);
                continue;
            }

            sent[name] = value;
            room -= bytes;
        }

        return (sent.Count > 0 ? sent : null, leftOut);
    }
}
