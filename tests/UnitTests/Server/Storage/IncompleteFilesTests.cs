using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

/// <summary>What a crash leaves in <c>incoming</c> is recognised by its name.</summary>
public sealed class IncompleteFilesTests
{
    private const string Key = "web1/tank_data_2026-01-01_00:00:00.zfs";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Key, true)]
    [InlineData(Key, false)]
    [InlineData(Key + ".manifest.json", false)] // of many parts: docs/decisions/0038
    public async Task Whatever_the_server_began_to_write_is_removed(string key, bool resumable)
    {
        using var folder = new TemporaryFolder();
        var store = new DirectoryStore(TestSettings.In(folder));
        store.Prepare();
        await using var begun = await store.CreateAsync(key, Guid.NewGuid().ToString("N"), resumable, Token);
        await File.WriteAllTextAsync(folder.File("incoming/notes.txt"), "somebody's", Token);

        Assert.Equal(1, await store.RemoveIncompleteAsync(DateTimeOffset.MaxValue, new HashSet<string>(), Token));

        Assert.Equal("notes.txt", Assert.Single(new DirectoryInfo(folder.File("incoming")).GetFiles()).Name);
    }
}
