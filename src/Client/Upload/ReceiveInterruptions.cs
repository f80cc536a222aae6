using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>
/// How often an upload into the server's ZFS goes on after its receive has ended there: as long as it gets further in
/// between.
/// </summary>
/// <param name="patience">How long it may get no further; zero: it does not go on.</param>
internal sealed class ReceiveInterruptions(TimeSpan patience, TimeProvider time)
{
    private long _furthest = -1;
    private long _since = time.GetTimestamp();

    public static bool IsOne(ApiException e) => e.Code == "receive_interrupted";

    /// <param name="resume">Where this attempt had begun.</param>
    public bool MayGoOn(UploadResume? resume)
    {
        var reached = resume?.StreamBytes ?? 0;
        if (reached > _furthest)
            (_furthest, _since) = (reached, time.GetTimestamp());
        return time.GetElapsedTime(_since) < patience;
    }
}
