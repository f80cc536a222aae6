using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.UnitTests.Configuration;

public sealed class SettingsFilesTests
{
    [Fact]
    public void A_line_in_another_form_is_named_with_the_form()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "PORT=8080\nnonsense\n");

            var refused = Assert.Throws<OperationException>(() => SettingsFiles.Read(path));

            Assert.Equal(ExitCode.Configuration, refused.ExitCode);
            Assert.Contains("line 2 is not NAME=value", refused.Message, StringComparison.Ordinal);
            Assert.Contains("NAME=value", refused.Remedy, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void The_remedy_for_denied_access_is_about_permissions()
    {
        var denied = SettingsFiles.RemedyFor(new UnauthorizedAccessException());

        Assert.Contains("chown or chmod", denied, StringComparison.Ordinal);
        Assert.DoesNotContain("NAME=value", denied, StringComparison.Ordinal);
    }
}
