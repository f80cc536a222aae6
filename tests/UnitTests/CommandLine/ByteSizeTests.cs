using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.UnitTests.CommandLine;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "1.0 kB")]
    [InlineData(999_949, "999.9 kB")]
    [InlineData(999_950, "1.0 MB")]
    [InlineData(1_200_000_000, "1.2 GB")]
    [InlineData(long.MaxValue, "9.2 EB")]
    public void Sizes_are_shown_in_decimal_units(long bytes, string text) => Assert.Equal(text, ByteSize.Format(bytes));

    [Theory]
    [InlineData("1000", 1000)]
    [InlineData("100G", 100_000_000_000)]
    [InlineData("1.5 TB", 1_500_000_000_000)]
    [InlineData("512MiB", 536_870_912)]
    [InlineData("2ki", 2048)]
    [InlineData("0", 0)]
    public void Sizes_are_read_in_both_units(string text, long bytes) => Assert.Equal(bytes, ByteSize.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("G")]
    [InlineData("-1")]
    [InlineData("1X")]
    [InlineData("1GG")]
    [InlineData("1.2.3")]
    [InlineData("99999999E")]
    public void Anything_but_a_size_is_refused(string text) =>
        Assert.Throws<FormatException>(() => ByteSize.Parse(text));
}
