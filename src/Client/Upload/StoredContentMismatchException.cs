using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>The server says "ok" to something else than was sent.</summary>
internal sealed class StoredContentMismatchException()
    : OperationException(
        ExitCode.ServerFailed,
        "The server says that it stored something else than was sent.",
        "Check the server's version and its log. The next backup does not build on this one."
    );
