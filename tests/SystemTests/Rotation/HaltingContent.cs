using System.Net;

namespace ZfsSnapshotManager.SystemTests.Rotation;

/// <summary>A request body that waits in the middle until it is allowed to continue.</summary>
internal sealed class HaltingContent(byte[] body, int halt, SemaphoreSlim gate) : HttpContent
{
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        await stream.WriteAsync(body.AsMemory(0, halt));
        await stream.FlushAsync();
        await gate.WaitAsync(Fixtures.Patience.Of(60));
        await stream.WriteAsync(body.AsMemory(halt));
    }

    /// <summary>Unknown: the body goes in chunks.</summary>
    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
