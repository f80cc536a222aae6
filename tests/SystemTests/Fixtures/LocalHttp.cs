using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>Starts HTTP listeners of tests, which cannot ask the system for a free port themselves.</summary>
internal static class LocalHttp
{
    /// <summary>Starts a listener on a free port of 127.0.0.1.</summary>
    /// <returns>The port.</returns>
    public static int Listen(HttpListener listener)
    {
        while (true)
        {
            using var probe = new TcpListener(IPAddress.Loopback, 0);
            probe.Start();
            var port = ((IPEndPoint)probe.LocalEndpoint).Port;
            probe.Stop();
            try
            {
                listener.Prefixes.Clear();
                listener.Prefixes.Add($"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}/");
                listener.Start();
                return port;
            }
            catch (HttpListenerException)
            {
                // Another test has taken it meanwhile.
            }
        }
    }
}
