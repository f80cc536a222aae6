using System.IO.Compression;
using System.Text.Json;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// A stream of a real ZFS, and what is known about it since it was recorded (tests/streams/README.md).
/// </summary>
internal sealed class RecordedStream
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "streams");

    private static readonly Lazy<Dictionary<string, RecordedStream>> Loaded = new(Load);

    private readonly JsonElement _facts;
    private readonly Lazy<byte[]> _bytes;

    private RecordedStream(JsonElement facts)
    {
        _facts = facts;
        _bytes = new Lazy<byte[]>(ReadBytes);
    }

    /// <summary>By file; those of another version of OpenZFS with its folder, such as 2.1.11/full.zfs.gz.</summary>
    public static IReadOnlyDictionary<string, RecordedStream> All => Loaded.Value;

    /// <summary>
    /// The complete ones of the usual version: all except the output of <c>zfs send --saved</c> for an interrupted
    /// receive, which has no END.
    /// </summary>
    public static IEnumerable<RecordedStream> Whole =>
        All.Values.Where(stream => stream.IsWhole && !stream.IsOfOtherVersion);

    /// <summary>The complete ones of all versions.</summary>
    public static IEnumerable<RecordedStream> WholeOfAllVersions => All.Values.Where(stream => stream.IsWhole);

    public string File => Text("file")!;

    public string Kind => Text("kind")!;

    public string Type => Text("type")!;

    public string Snapshot => Text("snapshot")!;

    public ulong Guid => ulong.Parse(Text("guid")!);

    public ulong? BaseGuid => Text("baseGuid") is { } guid ? ulong.Parse(guid) : null;

    private bool IsOfOtherVersion => File.Contains('/', StringComparison.Ordinal);

    public bool IsResumed => Resumes is not null;

    /// <summary>Name of the stream that it continues; null if none.</summary>
    public string? Resumes => Text("resumes");

    /// <summary>The token it was sent for; null if none.</summary>
    public string? Token => Text("token");

    public long Length => _facts.GetProperty("length").GetInt64();

    public string Sha256 => Text("sha256")!;

    public ulong Features => Convert.ToUInt64(Text("features"), 16);

    public long TotalRecords => _facts.GetProperty("totalRecords").GetInt64();

    public bool IsWhole => Records.ContainsKey("END");

    /// <summary>Number of records by type, named as ZFS names them.</summary>
    public IReadOnlyDictionary<string, long> Records =>
        _facts
            .GetProperty("records")
            .EnumerateObject()
            .ToDictionary(count => count.Name, count => count.Value.GetInt64());

    /// <summary>Name and GUID of each snapshot in a package.</summary>
    public IReadOnlyList<(string Name, ulong Guid)> Contains =>
        [
            .. _facts
                .GetProperty("contains")
                .EnumerateArray()
                .Select(snapshot =>
                    (
                        snapshot.GetProperty("snapshot").GetString()!,
                        ulong.Parse(snapshot.GetProperty("guid").GetString()!)
                    )
                ),
        ];

    public byte[] Bytes => _bytes.Value;

    private static Dictionary<string, RecordedStream> Load() =>
        Directory
            .EnumerateFiles(Folder, "expected.json", SearchOption.AllDirectories)
            .SelectMany(Read)
            .ToDictionary(stream => stream.File);

    private static IEnumerable<RecordedStream> Read(string expected)
    {
        using var document = JsonDocument.Parse(System.IO.File.ReadAllBytes(expected));
        return
        [
            .. document
                .RootElement.GetProperty("streams")
                .EnumerateArray()
                .Select(facts => new RecordedStream(facts.Clone())),
        ];
    }

    private byte[] ReadBytes()
    {
        using var source = new GZipStream(
            System.IO.File.OpenRead(Path.Combine(Folder, File)),
            CompressionMode.Decompress
        );
        using var bytes = new MemoryStream();
        source.CopyTo(bytes);
        return bytes.ToArray();
    }

    private string? Text(string field) => _facts.TryGetProperty(field, out var value) ? value.GetString() : null;
}
