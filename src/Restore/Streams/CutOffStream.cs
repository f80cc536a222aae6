using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Restore.Streams;

/// <summary>Takes the place where compressed data are cut off or damaged for their end.</summary>
internal sealed class CutOffStream(Stream source) : ForwardOnlyStream
{
    public override bool CanRead => true;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await source.ReadAsync(buffer, cancellationToken);
        }
        catch (OperationException e) when (e.ExitCode == ExitCode.Damaged)
        {
            return 0;
        }
    }
}
