using System.Net;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// A body that is announced and never sent: with it a request asks whether the body would be accepted.
/// </summary>
internal sealed class UnsentContent(long bytes) : HttpContent
{
    protected override bool TryComputeLength(out long length)
    {
        length = bytes;
        return true;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        throw new WantedException();

    /// <summary>The other side wants the body.</summary>
    internal sealed class WantedException() : OperationException(ExitCode.Failure, "The body is wanted.");
}
