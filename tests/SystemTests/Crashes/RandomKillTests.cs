using System.Net;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>The server is killed at random moments, while two clients each upload a chain of larger streams.</summary>
public sealed class RandomKillTests
{
    private const int BlockSize = 128 * 1024;
    private const int Blocks = 64;

    private static readonly byte[] Noise = StreamBuilder.Noise(BlockSize, seed: 1);

    [Fact]
    public async Task Every_acknowledged_backup_survives_kills_at_random_moments()
    {
        var random = RandomTest.Random();
        await using var server = await ServerProcess.StartAsync();
        using var first = new Chain(await Uploader.CreateAsync(server, "first"), 1);
        using var second = new Chain(await Uploader.CreateAsync(server, "second"), 1_000_000);
        Chain[] chains = [first, second];

        var start = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(chains.Select(chain => chain.SendNextAsync()));
        var duration = TimeProvider.System.GetElapsedTime(start);
        foreach (var chain in chains)
            await chain.LookAsync("before the first kill");
        Assert.All(chains, chain => Assert.Equal(1, chain.Acknowledged));

        var kills = RandomTest.Count(few: 20, many: 300);
        for (var round = 1; round <= kills; round++)
        {
            var moment = duration * random.NextDouble() * 1.2;
            var sending = chains.Select(chain => chain.SendNextAsync()).ToList();
            await Task.Delay(moment, TestContext.Current.CancellationToken);
            await server.KillAsync();
            await Task.WhenAll(sending);

            await server.StartAgainAsync();
            foreach (var chain in chains)
                await chain.LookAsync(
                    $"ZSM_SEED={RandomTest.Seed}, kill {round} after {moment.TotalMilliseconds:0} ms"
                );
            StoreCheck.AssertHoldsFiles(server, chains.SelectMany(chain => chain.Keys));
        }

        foreach (var chain in chains)
        {
            await chain.SendNextAsync();
            await chain.LookAsync("at the end");
            CrashSweep.Print(
                $"{kills} kills within {duration.TotalMilliseconds * 1.2:0} ms: {chain.Acknowledged} acknowledged, "
                    + $"{chain.Keys.Count} stored"
            );
            await StoreCheck.AssertVerifiesAsync(chain.Client);
        }
    }

    /// <summary>
    /// One client's backups, each an incremental on the one before it. A backup that is lost in a kill is sent again.
    /// </summary>
    private sealed class Chain(Uploader client, ulong firstGuid) : IDisposable
    {
        private readonly HashSet<string> _acknowledged = new(StringComparer.Ordinal);
        private ulong _stored;

        public Uploader Client { get; } = client;

        public int Acknowledged => _acknowledged.Count;

        public IReadOnlyList<string> Keys { get; private set; } = [];

        /// <summary>The GUID of the snapshot to send.</summary>
        private ulong Next => firstGuid + _stored;

        private ulong Base => _stored == 0 ? 0 : Next - 1;

        public async Task SendNextAsync()
        {
            try
            {
                var sent = await Client.SendAsync(await Client.AnnounceAsync(Announcement()), Build());
                if (sent.Status == HttpStatusCode.OK)
                    _acknowledged.Add($"{Next}");
            }
            catch (Exception e) when (BrokenConnection.Is(e))
            {
                // The server was killed; LookAsync finds out what it stored.
            }
        }

        /// <summary>All acknowledged backups are listed, and at most the last of the others.</summary>
        public async Task LookAsync(string when)
        {
            var listed = (await Client.GetAsync("snapshots"))
                .MustSucceed()
                .Json.GetProperty("snapshots")
                .EnumerateArray()
                .ToList();
            var guids = listed
                .Select(backup => backup.GetProperty("snapshot_guid").GetString()!)
                .ToHashSet(StringComparer.Ordinal);
            Assert.True(
                _acknowledged.IsSubsetOf(guids),
                $"{when}: {string.Join(", ", _acknowledged.Except(guids, StringComparer.Ordinal))} was acknowledged "
                    + "and is not listed"
            );
            var count = guids.Contains($"{Next}") ? _stored + 1 : _stored;
            Assert.True((ulong)guids.Count == count, $"{when}: {guids.Count} backups are listed, not {count}");
            Keys = [.. listed.Select(backup => backup.GetProperty("storage_key").GetString()!)];
            _stored = count;
        }

        public void Dispose() => Client.Dispose();

        private JsonObject Announcement()
        {
            var fields = new JsonObject
            {
                ["dataset_name"] = "tank/data",
                ["snapshot_guid"] = $"{Next}",
                ["incremental"] = Base != 0,
                ["compression"] = "none",
            };
            if (Base != 0)
                fields["from_guid"] = $"{Base}";
            return fields;
        }

        private byte[] Build()
        {
            var builder = new StreamBuilder()
                .Begin(guid: Next, baseGuid: Base, name: $"tank/data@s{Next}")
                .Object(1, bonus: []);
            for (ulong block = 0; block < Blocks; block++)
                builder.Write(1, block * BlockSize, Noise);
            var records = builder.End().Records;
            var stream = new byte[records.Sum(record => record.Length)];
            var offset = 0;
            foreach (var record in records)
            {
                record.CopyTo(stream, offset);
                offset += record.Length;
            }

            return stream;
        }
    }
}
