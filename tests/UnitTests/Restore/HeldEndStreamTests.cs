using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>END is held back, however the stream is cut into writes.</summary>
public sealed class HeldEndStreamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(311)]
    [InlineData(312)]
    [InlineData(313)]
    [InlineData(5000)]
    public async Task The_last_record_comes_only_when_it_is_released(int step)
    {
        var stream = Enumerable.Range(0, 2000).Select(index => (byte)(index * 7)).ToArray();
        using var destination = new MemoryStream();
        await using var held = new HeldEndStream(destination);

        for (var offset = 0; offset < stream.Length; offset += step)
            await held.WriteAsync(
                stream.AsMemory(offset, Math.Min(step, stream.Length - offset)),
                TestContext.Current.CancellationToken
            );
        Assert.Equal(stream[..^RecordHeader.Size], destination.ToArray());
        await held.ReleaseAsync(TestContext.Current.CancellationToken);

        Assert.Equal(stream, destination.ToArray());
    }
}
