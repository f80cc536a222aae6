using System.Text.Json.Nodes;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// Recorded streams as uploads: their stored form, their records' places, and what a client says of them.
/// </summary>
internal static class Recorded
{
    private const int CreationTimeOffset = 24;

    public static RecordedStream Get(string name) => RecordedStream.All[name + ".zfs.gz"];

    /// <summary>The plain stream.</summary>
    public static byte[] Plain(string name) => Get(name).Bytes;

    /// <summary>The file as it was recorded: the stream in one gzip member.</summary>
    public static byte[] Gzip(string name) => File.ReadAllBytes(PathOf(name));

    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "streams", name + ".zfs.gz");

    public static DateTimeOffset CreatedAt(RecordedStream stream) =>
        DateTimeOffset.FromUnixTimeSeconds(BitConverter.ToInt64(stream.Bytes, CreationTimeOffset));

    /// <summary>What a client that knows all of a stream says of it.</summary>
    public static JsonObject Announce(RecordedStream stream, string compression)
    {
        var fields = new JsonObject
        {
            ["dataset_name"] = stream.Snapshot.Split('@')[0],
            ["snapshot_name"] = stream.Snapshot,
            ["snapshot_guid"] = $"{stream.Guid}",
            ["incremental"] = stream.BaseGuid is not null,
            ["raw"] = IsRaw(stream),
            ["timestamp"] = CreatedAt(stream),
            ["estimated_size"] = stream.Length,
            ["compression"] = compression,
        };
        if (stream.BaseGuid is { } guid)
            fields["from_guid"] = $"{guid}";
        return fields;
    }

    public static bool IsRaw(RecordedStream stream) => ((StreamFeatures)stream.Features).HasFlag(StreamFeatures.Raw);

    /// <summary>Where each record begins, and, last, where the stream ends.</summary>
    public static IReadOnlyList<int> Boundaries(byte[] stream)
    {
        using var reader = new SendStreamReader(new MemoryStream(stream));
        List<int> places = [];
        while (reader.ReadRecord())
            places.Add((int)reader.Parser.RecordOffset);
        return [.. places, stream.Length];
    }
}
