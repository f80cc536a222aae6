using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>How the HTTP server listens, and what it lets connections take.</summary>
internal static class KestrelSetup
{
    /// <summary>
    /// Of each connection, twice. A part is buffered elsewhere; Kestrel's default of 1 MiB would be idle memory.
    /// </summary>
    private const int ReadBufferSize = 128 * 1024;

    /// <summary>Of each connection: one slice of a download is sent while the next one is written here.</summary>
    private const int WriteBufferSize = 512 * 1024;

    public static void AddKestrel(this WebApplicationBuilder builder, ServerSettings settings)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = Limits.BodyBytes;
            kestrel.Limits.MaxRequestBufferSize = ReadBufferSize;
            kestrel.Limits.MaxRequestHeadersTotalSize = Limits.HeaderBytes;
            kestrel.Limits.RequestHeadersTimeout = Limits.HeadersTimeout;
            var connections = kestrel.ApplicationServices.GetRequiredService<ConnectionLimits>();
            kestrel.Listen(new IPEndPoint(settings.BindAddress, settings.Port), listen =>
                listen.Use(connections.Before)
            );
        });
        builder.Services.Configure<SocketTransportOptions>(sockets =>
            (sockets.MaxReadBufferSize, sockets.MaxWriteBufferSize) = (ReadBufferSize, WriteBufferSize)
        );
        builder
            .Services.AddSingleton<ConnectionLimits>()
            .AddSingleton<LargeBlockPools>()
            .AddSingleton<IMemoryPoolFactory<byte>>(services => services.GetRequiredService<LargeBlockPools>());
    }

    /// <exception cref="Core.OperationException">The address or port cannot be used.</exception>
    public static async Task ListenAsync(
        this WebApplication app,
        ServerSettings settings,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw ListenFault.Of(settings, e);
        }
    }
}
