using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.Configuration;

/// <summary>The settings of zfs-restore.</summary>
/// <param name="Server">The server, and the key.</param>
/// <param name="Zfs">Where <c>zfs</c> runs.</param>
/// <param name="ParallelParts">Maximum number of parts fetched at once.</param>
/// <param name="RetryTime">How long transient failures are retried.</param>
internal sealed record RestoreSettings(ServerConnection Server, ZfsHost Zfs, int ParallelParts, TimeSpan RetryTime)
{
    private const int DefaultParallelParts = 4;

    /// <summary>
    /// Room for three parts of 16 MiB: two in transit while one is read. The whole program stays below 96 MiB.
    /// </summary>
    private const int DefaultPartMemory = 48 * 1024 * 1024;

    /// <summary>Bytes for parts in transit, unless a single part is larger.</summary>
    public long PartMemory =>
        (long)DefaultPartMemory / DefaultParallelParts * Math.Max(ParallelParts, DefaultParallelParts);

    /// <summary>Reads what commands without a server need.</summary>
    public static ZfsHost ReadZfsHost()
    {
        var settings = SettingsFiles.Read(ProgramSettings.Client);
        var zfs = new ZfsHost(settings.Optional("ZFS_SSH_HOST", ZfsRemoteHost.Parse));
        settings.ThrowIfFaulty();
        return zfs;
    }

    public static RestoreSettings Read()
    {
        var settings = SettingsFiles.Read(ProgramSettings.Client);
        var parallelParts = settings.Number("DOWNLOAD_PARALLEL", DefaultParallelParts, 1, 16);
        var zfs = new ZfsHost(settings.Optional("ZFS_SSH_HOST", ZfsRemoteHost.Parse));
        var retryTime = TimeSpan.FromSeconds(settings.Number("RETRY_TIME", fallback: 3600, least: 0, most: 7 * 86400));
        var server = ServerConnection.Read(settings); // last: it reports the faults of all settings at once
        return new RestoreSettings(server, zfs, parallelParts, retryTime);
    }
}
