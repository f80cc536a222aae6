using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.UnitTests.CommandLine;

public sealed class TerminalTextTests
{
    [Fact]
    public void What_a_terminal_obeys_is_replaced() =>
        Assert.Equal("a?[2J?b?c?d", TerminalText.Clean("a\e[2J\ab\u009bc\u202ed"));

    [Fact]
    public void Line_breaks_and_tabs_stay_in_texts_and_become_spaces_in_lines()
    {
        Assert.Equal("a\n\tb?", TerminalText.Clean("a\n\tb\r"));
        Assert.Equal("a  b ", TerminalText.CleanLine("a\n\tb\r"));
    }

    [Fact]
    public void Other_text_is_the_same_text()
    {
        const string Text = "Zażółć gęślą jaźń: ß, 漢字, 😀";
        Assert.Same(Text, TerminalText.Clean(Text));
    }
}
