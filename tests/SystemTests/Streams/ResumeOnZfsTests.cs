using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Streams;

/// <summary>Continuing sends and receives that were interrupted, with real ZFS on the other side.</summary>
[Collection("zfs")]
public sealed class ResumeOnZfsTests(ZfsHost host)
{
    private const string Folder = "/tmp/zsm-resume";

    /// <summary>Cuts at boundaries of each kind.</summary>
    private static int CutsPerKind => RandomTest.IsSoak ? 2 : 1;

    /// <summary>
    /// A full stream, an incremental and one from a bookmark are cut at boundaries of all kinds. The token is made from
    /// the first part, ZFS resumes from it, and both parts are joined. If ZFS sends the same bytes again, the result is
    /// the original stream, byte for byte.
    /// </summary>
    [Theory]
    [InlineData("plain")]
    [InlineData("compressed")]
    [InlineData("raw")]
    [InlineData("volume")]
    [InlineData("raw-volume")]
    public async Task A_send_resumes_from_every_kind_of_boundary(string kind)
    {
        var guest = await PrepareAsync(kind);
        var streams = await guest.ReadAsync(Folder);
        foreach (var name in (string[])["s1.zfs", "s2.zfs", "bookmark.zfs"])
        {
            var stream = streams[name];
            var cuts = Cuts(stream, CutsPerKind);
            List<StreamSplice> splices = [];
            foreach (var cut in cuts)
                splices.Add(
                    new StreamSplice(
                        (
                            await SendStreamRecovery.FindValidPrefixAsync(
                                new MemoryStream(stream[..cut]),
                                TestContext.Current.CancellationToken
                            )
                        ).State
                    )
                );
            _ = await guest.RunAsync(
                "continue.sh",
                [$"{Folder}/rests"],
                string.Concat(splices.Select(splice => $"{splice.Token}\n"))
            );
            var rests = await guest.ReadAsync($"{Folder}/rests");
            for (var i = 0; i < cuts.Count; i++)
            {
                using var joined = new MemoryStream();
                await splices[i]
                    .WriteAsync(
                        new MemoryStream(stream),
                        new MemoryStream(rests[$"{i + 1}"]),
                        joined,
                        TestContext.Current.CancellationToken
                    );
                Assert.True(
                    joined.ToArray().AsSpan().SequenceEqual(stream),
                    $"{name}, cut after {cuts[i]} bytes, is not what it was"
                );
            }
        }
    }

    /// <summary>
    /// The receive of a full stream and of an incremental is interrupted, and resumes from the stored stream by ZFS's
    /// token.
    /// </summary>
    [Theory]
    [MemberData(nameof(GuestScripts.Kinds), MemberType = typeof(GuestScripts))]
    public async Task A_receive_resumes_from_the_stored_stream(string kind)
    {
        var guest = await PrepareAsync(kind);
        var streams = await guest.ReadAsync(Folder);
        foreach (var (stream, baseStream) in ((string, string)[])[("s1.zfs", "-"), ("s2.zfs", $"{Folder}/s1.zfs")])
        {
            var all = Cuts(streams[stream], CutsPerKind);
            var cuts = RandomTest.IsSoak ? all : [.. all.Where((_, i) => i % Math.Max(all.Count / 3, 1) == 1)];
            var said = await guest.RunAsync(
                "receive.sh",
                [$"{Folder}/{stream}", baseStream, .. cuts.Select(cut => (object)cut)]
            );
            Assert.Equal(cuts.Count, said.Length);
            Assert.Contains(said, line => line.StartsWith("same", StringComparison.Ordinal));
        }
    }

    private async Task<GuestScripts> PrepareAsync(string kind)
    {
        var guest = await GuestScripts.CopyAsync(host);
        _ = await guest.RunAsync("origin.sh", [kind, RandomTest.Seed, Folder]);
        return guest;
    }

    /// <summary>
    /// Places to cut a stream: right behind BEGIN, right before END, and some record boundaries of every kind, by the
    /// types of the records before and behind; each with a few bytes of the next record, as a broken connection leaves
    /// them.
    /// </summary>
    private static List<int> Cuts(byte[] stream, int perKind)
    {
        Dictionary<(RecordType, RecordType), List<int>> kinds = [];
        var (parser, last) = (new SendStreamParser(), RecordType.Begin);
        ReadOnlySpan<byte> input = stream;
        while (!parser.IsComplete)
        {
            if (parser.Read(ref input, out _) != ParserEvent.Record)
                continue;
            var type = parser.Current.Type;
            if (parser.RecordIndex > 0)
            {
                if (!kinds.TryGetValue((last, type), out var places))
                    kinds[(last, type)] = places = [];
                places.Add((int)parser.RecordOffset);
            }

            last = type;
        }

        var random = RandomTest.Random();
        return
        [
            .. kinds
                .Values.SelectMany(places => random.GetItems(places.ToArray(), Math.Min(perKind, places.Count)))
                .Distinct()
                .Order()
                .Select(place => Math.Min(place + random.Next(3) * 150, stream.Length - 1)),
        ];
    }
}
