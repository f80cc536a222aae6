using System.Net.Sockets;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>What a request throws when its server is killed.</summary>
internal static class BrokenConnection
{
    /// <remarks>
    /// A connection that ends right after it was made throws the socket's own exception, when .NET sets options of the
    /// socket ("Transport endpoint is not connected").
    /// </remarks>
    public static bool Is(Exception e) => e is HttpRequestException or IOException or SocketException;
}
