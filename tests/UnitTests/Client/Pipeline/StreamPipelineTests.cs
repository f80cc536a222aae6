using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Client.Pipeline;

public sealed class StreamPipelineTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stream_that_no_zfs_receives_is_not_sent_and_the_remedy_is_named()
    {
        var stream = new StreamBuilder()
            .Begin(
                8,
                baseGuid: 7,
                features: StreamFeatures.Raw,
                payload: Packing.Native(("crypt_keydata", ((string, object)[])[("to_ivset_guid", 5UL)]))
            )
            .End()
            .ToArray();
        await using var zfs = ZfsProcess.Start(ZfsHost.Local, ["send"], "/bin/sh", ["-c", "true"]);
        using var digest = new PartsDigest();
        var pipeline = new StreamPipeline(
            new MemoryBudget(ParallelParts: 1, PartSize: 1 << 20, Workers: 1),
            CompressionFormat.Gzip,
            level: null,
            TransferStart.Beginning,
            digest,
            (part, _) => throw new InvalidOperationException($"part {part.Number} was sent"),
            _ => { }
        );

        var refused = await Assert.ThrowsAsync<OperationException>(() =>
            pipeline.RunAsync(zfs, new MemoryStream(stream), Token)
        );

        Assert.Equal((ExitCode.Conflict, FailureKind.Dataset), (refused.ExitCode, refused.Kind));
        Assert.Contains("from_ivset_guid", refused.Message, StringComparison.Ordinal);
        Assert.Contains("zfs-client backup-full", refused.Remedy, StringComparison.Ordinal);
    }
}
