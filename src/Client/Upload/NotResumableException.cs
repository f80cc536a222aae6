using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>An upload that was interrupted cannot go on; it was dropped.</summary>
internal sealed class NotResumableException(string reason, Exception? cause = null)
    : OperationException(ExitCode.Conflict, reason, innerException: cause);
