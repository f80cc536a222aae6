using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>What becomes of an open upload when sending it fails.</summary>
internal enum UploadFate
{
    /// <summary>It stays, with its snapshot: the next run resumes it.</summary>
    Keep,

    /// <summary>
    /// Another run sends it now: neither it nor its snapshot is touched, whatever this run has sent of it.
    /// </summary>
    Leave,

    /// <summary>It is dropped, and the failure is the backup's.</summary>
    Drop,

    /// <summary>It cannot be resumed: it is dropped, and the stream is sent from its start.</summary>
    StartOver,
}

/// <summary>Decides about failed uploads: only what is proven useless is dropped.</summary>
internal static class UploadFates
{
    /// <param name="failure">Why it failed.</param>
    /// <param name="isFruitless">Whether it was resumed, and the server has no more of it than before.</param>
    public static UploadFate Of(Exception failure, bool isFruitless) =>
        failure switch
        {
            NotResumableException => UploadFate.StartOver,
            StoredContentMismatchException => UploadFate.Drop,
            // It would end at the same place in every run. The first time, its cause may pass.
            ZfsException { End: ZfsEnd.Refused or ZfsEnd.Crashed, IsCurable: false } when isFruitless =>
                UploadFate.StartOver,
            ApiException answer => Of(answer),
            _ => FailureKinds.Of(failure) == FailureKind.Stream ? UploadFate.Drop : UploadFate.Keep,
        };

    private static UploadFate Of(ApiException answer) =>
        answer.Code switch
        {
            "upload_lost" => UploadFate.StartOver,
            // Somebody can make room on the server.
            "storage_full" => UploadFate.Keep,
            // What is stored of it counts towards the quota, and would keep out the other datasets' backups.
            "quota_exceeded" => UploadFate.Drop,
            "upload_replaced" => UploadFate.Leave,
            _ => answer.Kind is FailureKind.Dataset or FailureKind.Stream ? UploadFate.Drop : UploadFate.Keep,
        };
}
