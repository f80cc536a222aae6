using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>Begins responses that may take days and pause for as long as DOWNLOAD_IDLE_TIMEOUT.</summary>
internal sealed class PacedResponses(ServerSettings settings, TimeProvider time)
{
    public PacedWriter Begin(HttpContext context)
    {
        // By default Kestrel ends responses that are read below 240 bytes a second.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
        return new PacedWriter(context, settings.DownloadIdleTimeout, time);
    }
}
