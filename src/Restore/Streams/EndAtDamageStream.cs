using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>Ends where the compressed data of the source are truncated or damaged, instead of failing.</summary>
internal sealed class EndAtDamageStream(Stream source) : ForwardOnlyStream
{
    public override bool CanRead => true;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await source.ReadAsync(buffer, cancellationToken);
        }
        catch (OperationException e) when (e.Kind == FailureKind.Stream)
        {
            return 0;
        }
    }
}
