using System.Diagnostics;
using System.Text.RegularExpressions;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// The library and OpenZFS's own <c>zstream dump</c> must read the same from a stream. The environment variable ZSTREAM
/// names the executable, which needs no kernel module; if CI is set, it must exist.
/// </summary>
public sealed partial class ZstreamTests
{
    public static TheoryData<string> Streams => [.. RecordedStream.WholeOfAllVersions.Select(stream => stream.File)];

    [Theory]
    [MemberData(nameof(Streams))]
    public Task It_reads_the_same_out_of(string file) => CompareAsync(RecordedStream.All[file].Bytes);

    [Theory]
    [MemberData(nameof(Editing.XdrStreamTests.StreamsWithLists), MemberType = typeof(Editing.XdrStreamTests))]
    public Task It_reads_the_same_out_of_an_XDR_encoded(string file) =>
        CompareAsync(XdrEncoding.Of(RecordedStream.All[file].Bytes));

    /// <summary>
    /// The streams that the tests make are valid, and the record types that no recorded stream has are read correctly.
    /// </summary>
    [Theory]
    [InlineData("plain")]
    [InlineData("package")]
    [InlineData("raw")]
    [InlineData("deduplicated")]
    public Task It_reads_the_same_out_of_a_stream_made_here(string what) =>
        CompareAsync(
            what switch
            {
                "plain" => StreamBuilder.Small().ToArray(),
                "package" => StreamBuilder.SmallPackage().ToArray(),
                "raw" => StreamBuilder.SmallRaw().ToArray(),
                _ => new StreamBuilder()
                    .Begin(features: StreamFeatures.Dedup)
                    .Write(1, 0, new byte[512])
                    .WriteByRef(2, 0, 512)
                    .End()
                    .ToArray(),
            }
        );

    private static async Task CompareAsync(byte[] stream)
    {
        var facts = Verifying.Verify(stream);
        var dump = await DumpAsync(stream);

        Assert.Equal(CountRecords(dump), facts.Records.ToDictionary(count => count.Key, count => count.Value));
        Assert.Equal(facts.RecordCount, long.Parse(Field(dump, "Total records")));
        Assert.Equal(facts.PayloadBytes, long.Parse(Field(dump, "Total payload size").Split(' ')[0]));
        Assert.Equal(facts.Length, long.Parse(Field(dump, "Total stream length").Split(' ')[0]));

        IEnumerable<SnapshotStreamInfo> begins =
            facts.Kind == StreamKind.Package ? [facts.Begin, .. facts.Snapshots] : facts.Snapshots;
        Assert.Equal(
            BeginPattern().Matches(dump).Select(match => match.Value),
            begins.Select(begin => Begin(begin, facts))
        );
        Assert.DoesNotContain("Incorrect checksum", dump);
        if (facts.Kind == StreamKind.Package)
            return;
        Assert.DoesNotContain("Expected checksum differs", dump);
        Assert.Equal($"{facts.EndChecksum}".Replace(':', '/'), Field(dump, "END checksum"));
    }

    private static string Begin(SnapshotStreamInfo begin, StreamInfo facts) =>
        string.Join(
            '\n',
            $"\thdrtype = {(ReferenceEquals(begin, facts.Begin) && facts.Kind == StreamKind.Package ? 2 : 1)}",
            $"\tfeatures = {(ulong)begin.Features:x}",
            "\tmagic = 2f5bacbac",
            $"\tcreation_time = {begin.CreationTime.ToUnixTimeSeconds():x}",
            $"\ttype = {(int)begin.Type}",
            $"\tflags = 0x{begin.Flags:x}",
            $"\ttoguid = {begin.SnapshotGuid:x}",
            $"\tfromguid = {begin.BaseGuid:x}",
            $"\ttoname = {begin.FullSnapshotName}"
        );

    [GeneratedRegex(
        @"^\thdrtype = .*\n(\t.*\n){7}\ttoname = .*$",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 10_000
    )]
    private static partial Regex BeginPattern();

    /// <summary>From the list of all records: the summary leaves out some types.</summary>
    private static Dictionary<RecordType, long> CountRecords(string dump)
    {
        (string Start, RecordType Type)[] starts =
        [
            ("BEGIN record", RecordType.Begin),
            ("OBJECT object = ", RecordType.Object),
            ("FREEOBJECTS firstobj = ", RecordType.FreeObjects),
            ("WRITE object = ", RecordType.Write),
            ("FREE object = ", RecordType.Free),
            ("END checksum = ", RecordType.End),
            ("WRITE_BYREF object = ", RecordType.WriteByRef),
            ("SPILL block ", RecordType.Spill),
            ("WRITE_EMBEDDED object = ", RecordType.WriteEmbedded),
            ("OBJECT_RANGE firstobj = ", RecordType.ObjectRange),
            ("REDACT object = ", RecordType.Redact),
        ];
        var lines = dump.Split('\n');
        return starts
            .Select(start =>
                (start.Type, Count: lines.LongCount(line => line.StartsWith(start.Start, StringComparison.Ordinal)))
            )
            .Where(count => count.Count != 0)
            .ToDictionary(count => count.Type, count => count.Count);
    }

    private static string Field(string dump, string name) =>
        Regex.Match(dump, $@"^\t?{name} = (.*)$", RegexOptions.Multiline, TimeSpan.FromSeconds(10)).Groups[1].Value;

    private static async Task<string> DumpAsync(byte[] stream)
    {
        var cancellation = TestContext.Current.CancellationToken;
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(path, stream, cancellation);

            // A very long name in BEGIN reaches into the bytes that are a checksum in other records, and zstream reads
            // them as one: -C keeps it from verifying.
            var options = stream.AsSpan(280, 32).ContainsAnyExcept((byte)0) ? "-vC" : "-v";
            using var process = Process.Start(
                new ProcessStartInfo(Zstream(), ["dump", options, path])
                {
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                    UseShellExecute = false,
                }
            )!;
            var errors = process.StandardError.ReadToEndAsync(cancellation);
            var dump = await process.StandardOutput.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            Assert.Equal((0, ""), (process.ExitCode, await errors));
            return dump;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static string Zstream()
    {
        var path = Environment.GetEnvironmentVariable("ZSTREAM");
        Requirement.Check(!string.IsNullOrEmpty(path), "ZSTREAM does not name an executable of zstream");
        return path;
    }
}
