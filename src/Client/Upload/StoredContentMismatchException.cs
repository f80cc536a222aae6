using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>The server acknowledges something other than what was sent.</summary>
internal sealed class StoredContentMismatchException()
    : OperationException(
        ExitCode.ServerFailed,
        "The server reports that it stored something other than what was sent.",
        "Check the server's version and its log. The next backup will not be based on this one."
    );
