using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Streams;

/// <summary>Merging, judged by real ZFS.</summary>
[Collection("zfs")]
public sealed class MergeOnZfsTests(ZfsHost host)
{
    /// <summary>
    /// Random histories of a file system or a volume: receiving the merged stream has the same result as receiving the
    /// streams one after the other, in every file, attribute, object and GUID; the next incremental applies; a scrub
    /// finds nothing (guest/merge.sh).
    /// </summary>
    [Theory]
    [MemberData(nameof(GuestScripts.Kinds), 1, MemberType = typeof(GuestScripts))]
    public async Task What_is_received_of_a_merge_is_what_is_received_of_the_chain(string kind)
    {
        var guest = await GuestScripts.CopyAsync(host);
        foreach (var draw in RandomTest.Draws(few: 1, many: 20))
        {
            var said = await guest.RunAsync("merge.sh", [kind, draw.Seed]);
            Assert.True(
                said[^1].StartsWith($"ok {kind}", StringComparison.Ordinal),
                $"{draw}: {string.Join('\n', said)}"
            );
        }
    }

    /// <summary>
    /// Versions of ZFS before July 2026 lose blocks when they receive the chain itself (guest/merge-large-dnode.sh).
    /// </summary>
    [Fact]
    public async Task Files_of_large_dnodes_before_version_5_are_complete_in_a_merge()
    {
        var guest = await GuestScripts.CopyAsync(host);

        var said = await guest.RunAsync("merge-large-dnode.sh", []);

        Assert.StartsWith("ok ", said[^1], StringComparison.Ordinal);
    }
}
