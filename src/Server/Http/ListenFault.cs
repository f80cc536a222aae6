using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Http;

internal static class ListenFault
{
    /// <summary>The error for a socket that cannot be opened on the configured address and port.</summary>
    public static OperationException Of(ServerSettings settings, Exception e) =>
        new(
            ExitCode.Configuration,
            $"The server cannot listen on {settings.BindAddress} port {settings.Port}: {e.Message}",
            "Choose another PORT or BIND_ADDRESS, or stop what uses it.",
            e
        );
}
