using System.Net;
using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>A part in memory as the body of a request.</summary>
internal sealed class PartContent(UploadPart part, BandwidthLimit? limit, TransferWatch watch) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream,
        TransportContext? context,
        CancellationToken cancellationToken
    )
    {
        foreach (var slice in part.Slices(limit?.SliceSize ?? PartChunks.ChunkSize))
        {
            if (limit is not null)
            {
                watch.Pause();
                await limit.WaitAsync(slice.Length, cancellationToken);
            }

            watch.Moved();
            await stream.WriteAsync(slice, cancellationToken);
        }

        watch.AwaitAnswer();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = part.Size;
        return true;
    }
}
