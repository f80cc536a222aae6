using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>An interrupted upload cannot be resumed; it was dropped.</summary>
internal sealed class NotResumableException(string reason, Exception? cause = null)
    : OperationException(ExitCode.Conflict, reason, innerException: cause);
