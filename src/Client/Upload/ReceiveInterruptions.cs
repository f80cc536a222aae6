using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// Decides whether an upload into the server's ZFS is resumed after its receive was interrupted there: as long as it
/// makes progress in between.
/// </summary>
/// <param name="patience">How long it may make no progress; zero: it is not resumed.</param>
internal sealed class ReceiveInterruptions(TimeSpan patience, TimeProvider time)
{
    private long _furthest = -1;
    private long _since = time.GetTimestamp();

    public static bool IsInterruption(ApiException e) => e.Code == "receive_interrupted";

    /// <param name="resume">Where the failed attempt began.</param>
    public bool MayRetry(UploadResume? resume)
    {
        var reached = resume?.StreamBytes ?? 0;
        if (reached > _furthest)
            (_furthest, _since) = (reached, time.GetTimestamp());
        return time.GetElapsedTime(_since) < patience;
    }
}
