using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.UnitTests.Configuration;

public sealed class EnvFileTests
{
    [Theory]
    [InlineData("NAME=value", "value")]
    [InlineData("  NAME = value  ", "value")]
    [InlineData("export NAME=value", "value")]
    [InlineData("export\tNAME=value", "value")]
    [InlineData("export  \t NAME=value", "value")]
    [InlineData("NAME=", "")]
    [InlineData("NAME=a=b", "a=b")]
    [InlineData("NAME=two words # and a comment", "two words")]
    [InlineData("NAME=not#a comment", "not#a comment")]
    [InlineData("NAME= # only a comment", "")]
    [InlineData("NAME='single \"quoted\" # no comment'", "single \"quoted\" # no comment")]
    [InlineData("NAME='a\\'", "a\\")]
    [InlineData("NAME=\"double 'quoted' # no comment\" # a comment", "double 'quoted' # no comment")]
    [InlineData("NAME=\"a \\\"b\\\" \\\\ \\$c \\d\"", "a \"b\" \\ $c \\d")]
    [InlineData("NAME=$HOME", "$HOME")]
    [InlineData("NAME=a\\b", "a\\b")]
    [InlineData("NAME=value\r", "value")]
    public void A_line_sets(string line, string value)
    {
        var file = EnvFile.Parse(line);

        Assert.Empty(file.Faults);
        Assert.Equal(new EnvLine(1, "NAME", value), Assert.Single(file.Lines));
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("# NAME=value")]
    [InlineData("; NAME=value")]
    public void A_line_without_a_setting_is_skipped(string line)
    {
        var file = EnvFile.Parse(line);

        Assert.Empty(file.Faults);
        Assert.Empty(file.Lines);
    }

    [Theory]
    [InlineData("nonsense", "line 2 is not NAME=value")]
    [InlineData("source ./x", "line 2 is not NAME=value")]
    [InlineData("=value", "line 2 is not NAME=value")]
    [InlineData("TWO WORDS=value", "line 2 is not NAME=value")]
    [InlineData("NAME=\"a\"b", "line 2 has text after the closing quote of NAME")]
    [InlineData("NAME='a' b # c", "line 2 has text after the closing quote of NAME")]
    [InlineData("NAME=\"-----BEGIN", "line 2 has no closing quote for NAME; a value cannot continue on the next line")]
    [InlineData("NAME=\"a\\\"", "line 2 has no closing quote for NAME; a value cannot continue on the next line")]
    public void A_line_that_is_not_understood_is_named(string line, string fault)
    {
        var file = EnvFile.Parse($"FIRST=1\n{line}\nTHIRD=3\n");

        Assert.Equal([fault], file.Faults);
        Assert.Equal(["FIRST", "THIRD"], file.Lines.Select(set => set.Name));
    }

    [Theory]
    [InlineData("KEEP_DALY", "KEEP_DAILY")]
    [InlineData("EXLCUDE", "EXCLUDE")]
    [InlineData("EXCLUDES", "EXCLUDE")]
    [InlineData("client_id", "CLIENT_ID")]
    [InlineData("Compression", "COMPRESSION")]
    [InlineData("API-KEY", "API_KEY")]
    [InlineData("LOCAL_DATASETS", "LOCAL_DATASET")]
    [InlineData("PATH", null)]
    [InlineData("DATABASE_URL", null)]
    [InlineData("PORT", null)]
    public void The_name_that_was_meant_is_found(string name, string? meant) =>
        Assert.Equal(meant, SettingNames.FindNearest(name, ProgramSettings.Client.Names));
}
