using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore;

/// <summary>The settings of zfs-restore.</summary>
/// <param name="Server">The server, and the key.</param>
/// <param name="Zfs">Where <c>zfs</c> runs.</param>
/// <param name="Lanes">Parts that are fetched at once.</param>
/// <param name="RetryTime">How long a server that is away is waited for.</param>
internal sealed record RestoreSettings(ServerConnection Server, ZfsHost Zfs, int Lanes, TimeSpan RetryTime)
{
    /// <summary>The client's file: one machine, one key, both programs.</summary>
    private const string SystemFile = "/etc/zfs-client.env";

    private const int DefaultLanes = 4;

    /// <summary>
    /// Of parts of 16 MiB, two are on their way while one is read; the whole program stays below 96 MiB.
    /// </summary>
    private const int DefaultPartMemory = 48 * 1024 * 1024;

    /// <summary>The most that parts on their way take, unless one alone is larger.</summary>
    public long PartMemory => (long)DefaultPartMemory / DefaultLanes * Math.Max(Lanes, DefaultLanes);

    /// <summary>For what needs no server.</summary>
    public static ZfsHost ReadZfsHost()
    {
        var settings = SettingsFiles.Read(SystemFile);
        var zfs = new ZfsHost(settings.Optional("ZFS_SSH_HOST", ZfsRemoteHost.Parse));
        settings.ThrowIfFaulty();
        return zfs;
    }

    public static RestoreSettings Read()
    {
        var settings = SettingsFiles.Read(SystemFile);
        var lanes = settings.Number("DOWNLOAD_PARALLEL", DefaultLanes, 1, 16);
        var zfs = new ZfsHost(settings.Optional("ZFS_SSH_HOST", ZfsRemoteHost.Parse));
        var retryTime = TimeSpan.FromSeconds(settings.Number("RETRY_TIME", fallback: 3600, least: 0, most: 7 * 86400));
        return new RestoreSettings(ServerConnection.Read(settings), zfs, lanes, retryTime); // which shows all faults
    }
}
