using Microsoft.AspNetCore.Http;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

/// <summary>An object that the disk does not give back is damage of this object, not a failure of the server.</summary>
public sealed class UnreadableObjectTests
{
    [Fact]
    public async Task A_read_that_fails_with_EIO_is_answered_as_damage()
    {
        using var folder = new TemporaryFolder();
        var store = new DirectoryStore(TestSettings.In(folder));
        store.Prepare();
        // The first page of a process is never mapped: reading it gives EIO (mem_rw in fs/proc/base.c).
        File.CreateSymbolicLink(folder.File("objects/unreadable"), "/proc/self/mem");

        await AssertDamagedAsync(store, "unreadable");
    }

    [Fact]
    public async Task A_read_that_is_not_permitted_is_answered_as_damage()
    {
        using var folder = new TemporaryFolder();
        var store = new DirectoryStore(TestSettings.In(folder));
        store.Prepare();
        Directory.CreateDirectory(folder.File("objects/directory")); // even root cannot open it as a file

        await AssertDamagedAsync(store, "directory");
    }

    private static async Task AssertDamagedAsync(DirectoryStore store, string key)
    {
        var failure = await Assert.ThrowsAsync<StorageException>(() =>
            store.ReadAsync(key, 0, new byte[10], TestContext.Current.CancellationToken)
        );

        Assert.Equal((StorageFault.Unreadable, ExitCode.Damaged), (failure.Fault, failure.ExitCode));
        var answer = StorageFaults.ToRequest(failure, "Nothing was changed.");
        Assert.Equal((StatusCodes.Status500InternalServerError, "object_damaged"), (answer.Status, answer.Error.Code));
    }
}
