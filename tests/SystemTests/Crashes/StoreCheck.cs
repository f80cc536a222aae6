using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>Checks the content of a server's store.</summary>
internal static class StoreCheck
{
    /// <summary>
    /// The store holds an object and a manifest for each key and nothing else, and no upload is unfinished.
    /// </summary>
    public static void AssertHoldsFiles(ServerProcess server, IEnumerable<string> keys)
    {
        var expected = keys.SelectMany(key => (string[])[$"objects/{key}", $"objects/{key}.manifest.json"])
            .ToHashSet(StringComparer.Ordinal);
        var found = server
            .StoredFiles()
            .Select(line => line[..line.LastIndexOf(' ')])
            .ToHashSet(StringComparer.Ordinal);
        var missing = expected.Except(found, StringComparer.Ordinal).ToList();
        var orphans = found.Except(expected, StringComparer.Ordinal).ToList();
        Assert.True(missing.Count == 0, $"listed, but not in the store: {string.Join(", ", missing)}");
        Assert.True(orphans.Count == 0, $"in the store, but not listed: {string.Join(", ", orphans)}");
    }

    /// <summary>The real zfs-restore reads and verifies every backup of the client; at least one must exist.</summary>
    public static async Task AssertVerifiesAsync(Uploader client)
    {
        var verified = await client.RestoreAsync("verify", "all");
        Assert.True(
            verified.ExitCode == 0,
            $"zfs-restore verify all ended with exit code {verified.ExitCode}: {verified.Text.Trim()}"
        );
    }
}
