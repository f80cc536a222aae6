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
    [MemberData(nameof(GuestScripts.Kinds), MemberType = typeof(GuestScripts))]
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
}
