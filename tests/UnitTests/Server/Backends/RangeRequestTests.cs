using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using ZfsSnapshotManager.Server.Backends;

namespace ZfsSnapshotManager.UnitTests.Server.Backends;

public sealed class RangeRequestTests
{
    private const long Length = 1000;

    private static readonly EntityTagHeaderValue Tag = new("\"abc\"");
    private static readonly DateTimeOffset Modified = new(2024, 2, 13, 14, 30, 0, 700, TimeSpan.Zero);

    [Theory]
    [InlineData("bytes=0-0", 206, 0, 1)]
    [InlineData("bytes=100-199", 206, 100, 100)]
    [InlineData("bytes=999-", 206, 999, 1)]
    [InlineData("bytes=-1", 206, 999, 1)]
    [InlineData("bytes=-1000", 206, 0, 1000)]
    [InlineData("bytes=-9999", 206, 0, 1000)]
    [InlineData("bytes=900-9999", 206, 900, 100)]
    [InlineData("bytes=1000-", 416, 0, 0)]
    [InlineData("bytes=1000-2000", 416, 0, 0)]
    [InlineData("bytes=-0", 416, 0, 0)]
    [InlineData("bytes=0-1,5-6", 200, 0, 1000)]
    [InlineData("bytes=9-1", 200, 0, 1000)]
    [InlineData("bytes=a-b", 200, 0, 1000)]
    [InlineData("pages=1-2", 200, 0, 1000)]
    [InlineData("", 200, 0, 1000)]
    public void A_range_returns_its_bytes(string range, int status, long first, long count) =>
        Assert.Equal(new RangeRequest(status, first, count), Ask(("Range", range)));

    [Theory]
    [InlineData("If-None-Match", "\"abc\"", 304)]
    [InlineData("If-None-Match", "W/\"abc\"", 304)]
    [InlineData("If-None-Match", "\"x\", \"abc\"", 304)]
    [InlineData("If-None-Match", "*", 304)]
    [InlineData("If-None-Match", "\"x\"", 206)]
    [InlineData("If-Match", "\"abc\"", 206)]
    [InlineData("If-Match", "*", 206)]
    [InlineData("If-Match", "W/\"abc\"", 412)]
    [InlineData("If-Match", "\"x\"", 412)]
    [InlineData("If-Modified-Since", "Tue, 13 Feb 2024 14:30:00 GMT", 304)]
    [InlineData("If-Modified-Since", "Tue, 13 Feb 2024 14:29:59 GMT", 206)]
    [InlineData("If-Unmodified-Since", "Tue, 13 Feb 2024 14:30:00 GMT", 206)]
    [InlineData("If-Unmodified-Since", "Tue, 13 Feb 2024 14:29:59 GMT", 412)]
    [InlineData("If-Range", "\"abc\"", 206)]
    [InlineData("If-Range", "\"x\"", 200)]
    [InlineData("If-Range", "W/\"abc\"", 200)]
    [InlineData("If-Range", "Tue, 13 Feb 2024 14:30:00 GMT", 206)]
    [InlineData("If-Range", "Tue, 13 Feb 2024 14:29:59 GMT", 200)]
    public void A_condition_comes_before_the_range(string name, string value, int status) =>
        Assert.Equal(status, Ask(("Range", "bytes=1-2"), (name, value)).Status);

    [Fact]
    public void A_tag_takes_precedence_over_a_time()
    {
        Assert.Equal(
            200,
            Ask(("If-None-Match", "\"x\""), ("If-Modified-Since", "Tue, 13 Feb 2024 14:30:00 GMT")).Status
        );
        Assert.Equal(
            200,
            Ask(("If-Match", "\"abc\""), ("If-Unmodified-Since", "Tue, 13 Feb 2024 14:29:59 GMT")).Status
        );
    }

    private static RangeRequest Ask(params (string Name, string Value)[] headers)
    {
        var all = new HeaderDictionary();
        foreach (var (name, value) in headers.Where(header => header.Value.Length > 0))
            all[name] = value;
        return RangeRequest.Of(new Microsoft.AspNetCore.Http.Headers.RequestHeaders(all), Tag, Modified, Length);
    }
}
