using System.Text;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>Which properties of a dataset go with its backup, for a restore that wants them back.</summary>
internal static class DatasetProperties
{
    /// <summary>The server takes no more (docs/http-api.md).</summary>
    private const int MaxCount = 200;

    private const int MaxBytes = 16 * 1024;

    /// <summary>
    /// As many as the server takes, in the order of their names; those of this program say nothing about the data.
    /// </summary>
    /// <returns>What is sent, null if nothing is; and the names of those that find no room.</returns>
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
