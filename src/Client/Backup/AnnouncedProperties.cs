using System.Text;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>Chooses the properties of a dataset that are stored with its backup.</summary>
internal static class AnnouncedProperties
{
    /// <summary>The server accepts no more (docs/http-api.md).</summary>
    private const int MaxCount = 200;

    private const int MaxBytes = 16 * 1024;

    /// <summary>How the dataset behaves; null if ZFS says nothing about it.</summary>
    public static IReadOnlyDictionary<string, EffectiveProperty>? Effective(
        IReadOnlyDictionary<string, DatasetProperty> behaviour
    )
    {
        var sent = new SortedDictionary<string, EffectiveProperty>(StringComparer.Ordinal);
        foreach (var (name, property) in behaviour)
            sent[name] = new EffectiveProperty { Value = property.Value, Source = SourceText(property.Source) };
        return sent.Count > 0 ? sent : null;
    }

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

    private static string SourceText(PropertySource source) =>
        source switch
        {
            PropertySource.Local => "local",
            PropertySource.Received => "received",
            PropertySource.Inherited => "inherited",
            PropertySource.Default => "default",
            _ => "none",
        };
}
