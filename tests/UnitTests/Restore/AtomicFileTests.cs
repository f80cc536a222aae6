using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Restore.Streams;
using ZfsSnapshotManager.UnitTests.Server;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string File => _folder.File("backup.zfs");

    private string Partial => File + ".partial";

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Only_its_owner_can_read_the_file()
    {
        await WriteAsync(replace: false);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File));
        Assert.False(System.IO.File.Exists(Partial));
    }

    [Fact]
    public async Task A_partial_file_of_somebody_else_is_kept()
    {
        await System.IO.File.WriteAllTextAsync(Partial, "mine", TestContext.Current.CancellationToken);

        var failure = await Assert.ThrowsAsync<OperationException>(() => WriteAsync(replace: false));

        Assert.Equal(ExitCode.Conflict, failure.ExitCode);
        Assert.Equal("mine", await ReadAsync(Partial));
        Assert.False(System.IO.File.Exists(File));
    }

    [Fact]
    public async Task Force_removes_what_a_killed_command_left_and_follows_no_link()
    {
        var elsewhere = _folder.File("elsewhere");
        await System.IO.File.WriteAllTextAsync(elsewhere, "precious", TestContext.Current.CancellationToken);
        System.IO.File.CreateSymbolicLink(Partial, elsewhere);
        await Assert.ThrowsAsync<OperationException>(() => WriteAsync(replace: false));
        await WriteAsync(replace: true);
        await System.IO.File.WriteAllTextAsync(Partial, "left", TestContext.Current.CancellationToken);
        await WriteAsync(replace: true);

        Assert.Equal("content", await ReadAsync(File));
        Assert.Equal("precious", await ReadAsync(elsewhere));
        Assert.False(System.IO.File.Exists(Partial));
    }

    [Fact]
    public async Task Force_does_not_remove_what_another_command_is_writing()
    {
        await AtomicFile.WriteAsync(File, replace: true, FileOptions.None, async file =>
        {
            await Assert.ThrowsAsync<OperationException>(() => WriteAsync(replace: true));
            await file.WriteAsync("first"u8.ToArray(), TestContext.Current.CancellationToken);
        });

        Assert.Equal("first", await ReadAsync(File));
    }

    private Task WriteAsync(bool replace) =>
        AtomicFile.WriteAsync(File, replace, FileOptions.None, file => file.WriteAsync("content"u8.ToArray()).AsTask());

    private static Task<string> ReadAsync(string path) =>
        System.IO.File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
}
