using System.Diagnostics;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.UnitTests.Server;

public sealed class DurableFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Ways => ["rename", "link"];

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_file_gets_its_new_name_and_loses_the_old_one(string way)
    {
        File.WriteAllText(_folder.File("aside"), "new");

        Move(way, _folder.File("aside"), _folder.File("object"));

        Assert.Equal("new", File.ReadAllText(_folder.File("object")));
        Assert.False(File.Exists(_folder.File("aside")));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_file_of_that_name_stays_and_so_does_the_new_one(string way)
    {
        File.WriteAllText(_folder.File("aside"), "new");
        File.WriteAllText(_folder.File("object"), "old");

        var failure = Assert.Throws<IOException>(() => Move(way, _folder.File("aside"), _folder.File("object")));

        Assert.Contains("File exists", failure.Message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(_folder.File("object")));
        Assert.Equal("new", File.ReadAllText(_folder.File("aside")));
    }

    /// <summary>/dev/shm is a file system in memory, on every Linux.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void Nothing_is_copied_to_another_file_system(string way)
    {
        using var other = new TemporaryFolder("/dev/shm");
        File.WriteAllText(_folder.File("aside"), "new");

        var failure = Assert.Throws<IOException>(() => Move(way, _folder.File("aside"), other.File("object")));

        Assert.Contains("are on different file systems", failure.Message, StringComparison.Ordinal);
        Assert.Equal("new", File.ReadAllText(_folder.File("aside")));
        Assert.False(File.Exists(other.File("object")));
    }

    [Fact]
    public async Task A_file_that_a_crash_left_with_both_names_loses_the_old_one()
    {
        await File.WriteAllTextAsync(_folder.File("object"), "new", TestContext.Current.CancellationToken);
        using var link = Process.Start("ln", [_folder.File("object"), _folder.File("aside")]);
        await link.WaitForExitAsync(TestContext.Current.CancellationToken);

        DurableFile.LinkNew(_folder.File("aside"), _folder.File("object"));

        Assert.Equal("new", await File.ReadAllTextAsync(_folder.File("object"), TestContext.Current.CancellationToken));
        Assert.False(File.Exists(_folder.File("aside")));
    }

    [Fact]
    public void Lines_are_appended_to_a_file_that_need_not_exist()
    {
        DurableFile.AppendLine(_folder.File("log"), "1\n"u8);
        DurableFile.AppendLine(_folder.File("log"), "2\n"u8);

        Assert.Equal("1\n2\n", File.ReadAllText(_folder.File("log")));
    }

    /// <summary>Root would create, change or give away whatever file the server's user chose.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Nothing_is_appended_through_a_link(bool exists)
    {
        if (exists)
            File.WriteAllText(_folder.File("other"), "1\n");
        File.CreateSymbolicLink(_folder.File("log"), _folder.File("other"));

        var failure = Assert.Throws<IOException>(() => DurableFile.AppendLine(_folder.File("log"), "2\n"u8));

        Assert.Contains("cannot be opened", failure.Message, StringComparison.Ordinal);
        Assert.Equal(exists, File.Exists(_folder.File("other")));
        if (exists)
            Assert.Equal("1\n", File.ReadAllText(_folder.File("other")));
    }

    private static void Move(string way, string from, string to)
    {
        if (way == "rename")
            DurableFile.MoveNew(from, to);
        else
            DurableFile.LinkNew(from, to);
    }
}
