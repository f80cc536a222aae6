using System.IO.Compression;
using System.Text.Json;
using ZfsSnapshotManager.Fuzzing.Inputs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Fuzzing;

/// <summary>Derives the first inputs of all targets from the recorded streams.</summary>
internal static class Seeds
{
    private const int Records = 14;
    private const int LongestList = 4096;

    private static readonly string[] Single =
    [
        "full",
        "incremental-1",
        "embedded",
        "large-dnode",
        "raw",
        "redacted",
        "spill",
        "spill-incremental",
        "volume",
        "resumed",
        "clone",
    ];

    private static readonly string[] Chains =
    [
        "full",
        "full incremental-1",
        "full incremental-1 incremental-2",
        "incremental-1 incremental-2",
        "raw raw-incremental",
        "spill spill-incremental",
        "large-dnode large-dnode-incremental",
        "volume volume-incremental",
    ];

    /// <summary>Writes the seeds.</summary>
    /// <param name="streams">The directory tests/streams.</param>
    /// <param name="corpus">The directory with one directory for each target.</param>
    public static int Write(string streams, string corpus)
    {
        byte[] Program(string name) => ProgramWriter.Of(Load(streams, name), Records);
        void Seed(string target, string name, byte[] input)
        {
            _ = Directory.CreateDirectory(Path.Combine(corpus, target));
            File.WriteAllBytes(Path.Combine(corpus, target, "seed-" + name.Replace(' ', '-')), input);
        }

        foreach (var name in (string[])[.. Single, "package", "resumed-raw"])
            Seed("records", name, Program(name));
        foreach (var name in (string[])["incremental-1", "raw", "spill", "package"])
            Seed("stream", name, StreamProgram.Build(ProgramWriter.Of(Load(streams, name), 4)));
        foreach (
            var name in (string[])["package", "package-incremental", "properties", "raw", "resumed", "resumed-raw"]
        )
        {
            foreach (var (list, i) in Lists(Load(streams, name)).Take(2).Select((list, i) => (list, i)))
                Seed("nvlist", $"{name}-{i}", list);
        }

        foreach (var name in Single)
            Seed("resume", name, [.. Frames.Of(Program(name)), 0, 4, 0, 5, 5]);
        foreach (var name in Single)
            Seed("splice", name, [.. Frames.Of([.. Program(name), StreamProgram.Cut, 1]), .. Frames.Of(Program(name))]);
        foreach (
            var (first, second) in ((string, string)[])
                [("full", "resumed"), ("raw", "resumed-raw"), ("incremental-1", "resumed-incremental")]
        )
            Seed(
                "splice",
                second,
                [.. Frames.Of([.. Program(first), StreamProgram.Cut, 1]), .. Frames.Of(Program(second))]
            );
        foreach (var chain in Chains)
            Seed("merge", chain, [.. chain.Split(' ').SelectMany(name => Frames.Of(Program(name)))]);
        SeedTokens(streams, Seed);
        return 0;
    }

    private static void SeedTokens(string streams, Action<string, string, byte[]> seed)
    {
        using var recorded = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(streams, "expected.json")));
        foreach (var stream in recorded.RootElement.GetProperty("streams").EnumerateArray())
        {
            if (!stream.TryGetProperty("token", out var text) || text.GetString() is not { } token)
                continue;
            var name = stream.GetProperty("file").GetString()!.Replace(".zfs.gz", "", StringComparison.Ordinal);
            seed("token", name, [.. token.Select(character => (byte)character)]);
            seed("token-list", name, ListIn(token));
        }

        var other = new ResumeToken
        {
            Object = 1,
            Offset = 512,
            Bytes = 1000,
            SnapshotGuid = 7,
            FullSnapshotName = "p/d@s",
            OtherPairs =
            [
                NvPair.Of("redact_snaps", [1, 2]),
                NvPair.Of("inner", new NvList([NvPair.Of("name", "text")])),
            ],
        };
        seed("token", "other-pairs", [.. other.ToString().Select(character => (byte)character)]);
        seed("token-list", "other-pairs", ListIn(other.ToString()));
    }

    private static byte[] ListIn(string token)
    {
        using var list = new MemoryStream();
        using var source = new ZLibStream(
            new MemoryStream(Convert.FromHexString(token.Split('-')[3])),
            CompressionMode.Decompress
        );
        source.CopyTo(list);
        return list.ToArray();
    }

    /// <summary>The payloads of the BEGINs, cut off if long.</summary>
    private static IEnumerable<byte[]> Lists(byte[] stream)
    {
        using var reader = new SendStreamReader(new MemoryStream(stream));
        while (reader.ReadRecord())
        {
            if (reader.Current.Type != RecordType.Begin || reader.Current.PayloadLength is 0 or > LongestList)
                continue;
            List<byte> list = [];
            while (reader.ReadPayload() is { IsEmpty: false } slice)
                list.AddRange(slice.Span);
            yield return [.. list];
        }
    }

    private static byte[] Load(string streams, string name)
    {
        using var source = new GZipStream(
            File.OpenRead(Path.Combine(streams, name + ".zfs.gz")),
            CompressionMode.Decompress
        );
        using var bytes = new MemoryStream();
        source.CopyTo(bytes);
        return bytes.ToArray();
    }
}
