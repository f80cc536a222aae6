using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

/// <summary>
/// A file that cannot be reached is not a file that does not exist: its deletion would count as done, and its backup as
/// lost.
/// </summary>
public sealed class UnreachableObjectTests
{
    private const string Key = "client1/tank_2026-01-01_00:00:00.zfs";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_object_that_cannot_be_reached_is_neither_missing_nor_deleted()
    {
        using var folder = new TemporaryFolder();
        var store = new DirectoryStore(TestSettings.In(folder));
        store.Prepare();
        // ELOOP stands for EACCES and EIO, which root and a whole disk never get.
        File.CreateSymbolicLink(folder.File("objects/client1"), "client1");

        await AssertUnreachableAsync(() => store.FindAsync(Key, Token));
        await AssertUnreachableAsync(() => store.DeleteAsync(Key, Token));
    }

    [Fact]
    public async Task An_object_that_does_not_exist_is_missing_and_counts_as_deleted()
    {
        using var folder = new TemporaryFolder();
        var store = new DirectoryStore(TestSettings.In(folder));
        store.Prepare();

        Assert.Null(await store.FindAsync(Key, Token));
        await store.DeleteAsync(Key, Token);
    }

    [Fact]
    public async Task Incomplete_objects_that_cannot_be_listed_are_a_named_fault()
    {
        using var folder = new TemporaryFolder();
        var store = new DirectoryStore(TestSettings.In(folder));
        await File.WriteAllTextAsync(folder.File("incoming"), "a file", Token);

        await AssertUnreachableAsync(() =>
            store.RemoveIncompleteAsync(DateTimeOffset.MaxValue, new HashSet<string>(), Token)
        );
    }

    private static async Task AssertUnreachableAsync(Func<Task> act)
    {
        var e = await Assert.ThrowsAsync<StorageException>(act);
        Assert.Contains("The server's disk cannot", e.Message, StringComparison.Ordinal);
    }
}
