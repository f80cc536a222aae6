using ZfsSnapshotManager.Server.Uploads.Zfs;

namespace ZfsSnapshotManager.UnitTests.Server.Uploads.Zfs;

public sealed class EndRecordBufferTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(1000)]
    public async Task The_last_bytes_are_kept_however_the_stream_is_sliced(int slice)
    {
        var token = TestContext.Current.CancellationToken;
        var bytes = Enumerable.Range(0, 100).Select(value => (byte)value).ToArray();
        using var destination = new MemoryStream();
        var holder = new EndRecordBuffer(destination, 8);
        var given = 0;
        foreach (var chunk in bytes.Chunk(slice))
        {
            await holder.WriteAsync(chunk, token);
            given += chunk.Length;
            Assert.Equal(bytes[..Math.Max(0, given - 8)], destination.ToArray());
        }

        await holder.ReleaseAsync(token);

        Assert.Equal(bytes, destination.ToArray());
    }
}
