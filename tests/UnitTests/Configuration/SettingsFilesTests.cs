using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.UnitTests.Configuration;

public sealed class SettingsFilesTests
{
    private static readonly ProgramSettings Program = new(
        "/etc/x.env",
        new HashSet<string>(["API_KEY", "API_KEY_FILE", "EXCLUDE", "KEEP_DAILY", "ZFS_SSH_HOST"])
    );

    [Fact]
    public void A_line_in_another_form_is_named_with_the_form()
    {
        var refused = Refuse(system: "API_KEY=1\nnonsense\n");

        Assert.Equal(ExitCode.Configuration, refused.ExitCode);
        Assert.Contains("/etc/x.env line 2 is not NAME=value", refused.Message, StringComparison.Ordinal);
        Assert.Contains("NAME=value", refused.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void The_remedy_for_denied_access_is_about_permissions()
    {
        var denied = SettingsFiles.RemedyFor(new UnauthorizedAccessException());

        Assert.Contains("chown or chmod", denied, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("EXLCUDE=a", "EXLCUDE (/etc/x.env, line 1) is not a setting; did you mean EXCLUDE?")]
    [InlineData("KEEP_DALY=a", "KEEP_DALY (/etc/x.env, line 1) is not a setting; did you mean KEEP_DAILY?")]
    [InlineData("api_key=a", "api_key (/etc/x.env, line 1) is not a setting; did you mean API_KEY?")]
    [InlineData("TZ=UTC", "TZ (/etc/x.env, line 1) is not a setting.")]
    [InlineData("EXCLUDE=a\n\nEXCLUDE=b", "EXCLUDE is set twice (/etc/x.env, lines 1 and 3)")]
    public void A_fault_in_the_file_of_the_program_is_named(string text, string fault) =>
        Assert.Contains(fault, Refuse(system: text).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("KEY=\"-----BEGIN\nabc\n-----END\"\nsource ./x")]
    [InlineData("API_KEY=\"-----BEGIN\nabc\n-----END\"\nDATABASE_URL=x")]
    [InlineData("API_KEY=other\nsource ./x\nKEEP_DALY=1")]
    public void A_file_of_another_program_in_the_working_directory_stops_nothing(string text)
    {
        var (settings, _) = Search(local: text, system: "API_KEY=own");

        settings.ThrowIfFaulty();
        Assert.Equal("own", settings.Text("API_KEY"));
    }

    [Theory]
    [InlineData("API_KEY=a\nsource ./x", ".env line 2 is not NAME=value")]
    [InlineData("API_KEY=a\nEXLCUDE=b", "EXLCUDE (.env, line 2) is not a setting; did you mean EXCLUDE?")]
    [InlineData("API_KEY=a\nAPI_KEY=b", "API_KEY is set twice (.env, lines 1 and 2)")]
    public void A_fault_in_a_file_of_the_working_directory_that_is_used_is_named(string text, string fault) =>
        Assert.Contains(fault, Refuse(local: text).Message, StringComparison.Ordinal);

    [Fact]
    public void What_is_almost_a_setting_in_a_file_that_is_not_used_is_a_warning()
    {
        var (settings, warnings) = Search(local: "EXLCUDE=b", system: "API_KEY=own");

        settings.ThrowIfFaulty();
        Assert.Contains("did you mean EXCLUDE?", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void The_working_directory_does_not_choose_where_commands_run()
    {
        var refused = Refuse(local: "API_KEY=a\nZFS_SSH_HOST=evil@10.9.9.9");

        Assert.Contains("ZFS_SSH_HOST (.env) is not accepted", refused.Message, StringComparison.Ordinal);
        var (settings, _) = Search(local: "ZFS_SSH_HOST=a", system: "ZFS_SSH_HOST=nas");
        settings.ThrowIfFaulty();
        Assert.Equal("nas", settings.Text("ZFS_SSH_HOST"));
    }

    [Fact]
    public void A_file_that_is_not_trusted_sets_nothing_and_is_named_with_what_it_would_set()
    {
        var search = new SettingsSearch(Program);

        search.Distrust(EnvFile.Parse("API_KEY=a\nEXCLUDE=b\nOTHER=c\nnonsense"), "/tmp/.env", "belongs to user 7");

        search.Finish().ThrowIfFaulty();
        Assert.Null(search.Finish().Text("API_KEY"));
        Assert.Contains(
            "/tmp/.env is ignored, because it belongs to user 7. It would set API_KEY, EXCLUDE.",
            Assert.Single(search.Warnings),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_file_of_another_program_that_is_not_trusted_is_not_mentioned()
    {
        var search = new SettingsSearch(Program);

        search.Distrust(EnvFile.Parse("DATABASE_URL=c\nnonsense"), "/tmp/.env", "belongs to user 7");

        Assert.Empty(search.Warnings);
    }

    [Fact]
    public void A_setting_of_a_later_source_prevails_over_the_other_of_an_earlier_one()
    {
        var (settings, _) = Search(local: "API_KEY_FILE=/etc/shadow", system: "API_KEY=own");

        Assert.False(settings.Prevails("API_KEY_FILE", "API_KEY"));
        Assert.True(Search(system: "API_KEY_FILE=/k\nAPI_KEY=own").Settings.Prevails("API_KEY_FILE", "API_KEY"));
        Assert.True(Search(system: "API_KEY_FILE=/k").Settings.Prevails("API_KEY_FILE", "API_KEY"));
        Assert.False(Search().Settings.Prevails("API_KEY_FILE", "API_KEY"));
    }

    [Fact]
    public void An_empty_value_hides_nothing()
    {
        var (settings, _) = Search(local: "EXCLUDE=a", system: "EXCLUDE=");

        Assert.Equal("a", settings.Text("EXCLUDE"));
    }

    [Theory]
    [InlineData(UnixFileMode.None, true)]
    [InlineData(UnixFileMode.OtherRead | UnixFileMode.GroupRead, true)]
    [InlineData(UnixFileMode.OtherWrite, false)]
    public void Only_a_file_that_nobody_else_may_write_is_trusted(UnixFileMode more, bool trusted)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | more);

            Assert.Equal(trusted, FileOwner.FindDistrust(path) is null);
            using var open = File.OpenHandle(path);
            Assert.Equal(trusted, FileOwner.FindDistrust(open) is null);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void What_is_not_a_file_is_not_trusted() =>
        Assert.Equal("is not a regular file", FileOwner.FindDistrust("/dev/null"));

    private static OperationException Refuse(string local = "", string system = "") =>
        Assert.Throws<OperationException>(Search(local, system).Settings.ThrowIfFaulty);

    private static (SettingsReader Settings, List<string> Warnings) Search(string local = "", string system = "")
    {
        var search = new SettingsSearch(Program);
        search.AddFile(EnvFile.Parse(local), ".env", SettingSource.LocalFile);
        search.AddFile(EnvFile.Parse(system), "/etc/x.env", SettingSource.SystemFile);
        return (search.Finish(), search.Warnings);
    }
}
