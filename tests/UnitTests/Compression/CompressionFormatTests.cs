using ZfsSnapshotManager.Core.Compression;

namespace ZfsSnapshotManager.UnitTests.Compression;

public sealed class CompressionFormatTests
{
    [Theory]
    [InlineData(CompressionFormat.None, "none", ".zfs", "application/octet-stream")]
    [InlineData(CompressionFormat.Gzip, "gzip", ".zfs.gz", "application/gzip")]
    [InlineData(CompressionFormat.Zstd, "zstd", ".zfs.zst", "application/zstd")]
    public void A_format_has_its_names(CompressionFormat format, string name, string extension, string contentType)
    {
        Assert.Equal((name, extension, contentType), (format.ApiName(), format.Extension(), format.ContentType()));
        Assert.True(CompressionFormats.TryParse(name, out var parsed));
        Assert.Equal(format, parsed);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("GZIP")]
    [InlineData("lz4")]
    public void Other_names_are_not_formats(string? name) => Assert.False(CompressionFormats.TryParse(name, out _));

    [Theory]
    [InlineData("1f8b0800", CompressionFormat.Gzip)]
    [InlineData("28b52ffd", CompressionFormat.Zstd)]
    [InlineData("502a4d18", CompressionFormat.Zstd)]
    [InlineData("5a2a4d18", CompressionFormat.Zstd)]
    [InlineData("602a4d18", CompressionFormat.None)]
    [InlineData("00000000", CompressionFormat.None)]
    [InlineData("1f", CompressionFormat.None)]
    [InlineData("", CompressionFormat.None)]
    public void A_format_is_recognised_by_its_first_bytes(string start, CompressionFormat format) =>
        Assert.Equal(format, CompressionFormats.Detect(Convert.FromHexString(start)));
}
