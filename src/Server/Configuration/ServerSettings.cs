using System.Net;
using System.Net.Sockets;
using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Server.Configuration;

/// <summary>All settings of zfs-server; docs/configuration.md is the reference.</summary>
public sealed record ServerSettings
{
    public static ProgramSettings Program { get; } =
        new(
            "/etc/zfs-server.env",
            new HashSet<string>(
                [
                    "DATA_DIR",
                    "CONFIG_FILE",
                    "METADATA_FILE",
                    "BIND_ADDRESS",
                    "PORT",
                    "MAX_CONNECTIONS",
                    "MAX_CONNECTIONS_PER_ADDRESS",
                    "UPLOAD_IDLE_TIMEOUT",
                    "DOWNLOAD_IDLE_TIMEOUT",
                    "ZFS_TIMEOUT",
                    "ZFS_BASE_DATASET",
                    "ZFS_SSH_HOST",
                    "MAX_UPLOADS",
                    "MAX_OPEN_UPLOADS",
                    "UPLOAD_EXPIRY_DAYS",
                    "PART_SIZE_MIB",
                    "DELETE_DELAY_HOURS",
                    "AUTH_FAILURES_PER_MINUTE",
                    "AUDIT_MAX_MIB",
                    "AUDIT_FILES",
                    "AUDIT_DAYS",
                    "S3_ENABLED",
                    "S3_ENDPOINT",
                    "S3_ACCESS_KEY",
                    "S3_SECRET_KEY",
                    "S3_SESSION_TOKEN",
                    "S3_BUCKET",
                    "S3_USE_SSL",
                    "S3_REGION",
                    "S3_PREFIX",
                    "S3_PATH_STYLE",
                    "S3_STORAGE_CLASS",
                    "S3_SSE",
                    "S3_PART_SIZE_MIB",
                    "S3_MAX_PARTS",
                    "S3_PARTS_IN_MEMORY",
                    "S3_CA_FILE",
                    "S3_OBJECT_LOCK_DAYS",
                    "S3_OBJECT_LOCK_MODE",
                    "S3_IDLE_TIMEOUT",
                    "S3_RETRY_TIME",
                ],
                StringComparer.Ordinal
            )
        );

    public required string DataDirectory { get; init; }

    public required string ClientsFile { get; init; }

    public required string DatabaseFile { get; init; }

    public required IPAddress BindAddress { get; init; }

    public required int Port { get; init; }

    /// <summary>The most connections in all, and from one address or /64.</summary>
    public required int MaxConnections { get; init; }

    /// <inheritdoc cref="MaxConnections"/>
    public required int MaxConnectionsPerAddress { get; init; }

    /// <summary>Where <c>zfs</c> runs.</summary>
    public required ZfsHost Zfs { get; init; }

    /// <summary>The parent of the datasets of clients that have none of their own.</summary>
    public required DatasetName BaseDataset { get; init; }

    /// <summary>Whether it was set: then every client may use local storage.</summary>
    public required bool HasBaseDataset { get; init; }

    /// <summary>An upload that transfers no byte for this long is ended.</summary>
    public required TimeSpan UploadIdleTimeout { get; init; }

    /// <summary>A download of which the client reads nothing for this long is ended.</summary>
    public required TimeSpan DownloadIdleTimeout { get; init; }

    /// <summary>An upload in parts that is not resumed for this long is dropped.</summary>
    public required TimeSpan UploadExpiry { get; init; }

    /// <summary>The most open uploads of one client.</summary>
    public required int MaxOpenUploads { get; init; }

    /// <summary>Bytes of a part in a directory; <see cref="S3Settings"/> has its own.</summary>
    public required int PartSize { get; init; }

    /// <summary>The most streams received at once.</summary>
    public required int MaxUploads { get; init; }

    /// <summary>How long a backup that a policy no longer keeps can still be kept.</summary>
    public required TimeSpan DeleteDelay { get; init; }

    /// <summary>
    /// The same for what is deleted to make room within a quota: as in the first program not at all, unless the delay
    /// is set.
    /// </summary>
    public required TimeSpan DeleteDelayForSpace { get; init; }

    /// <summary>Failed authentications of one client id from one address per minute; 0: no limit.</summary>
    public required int AuthFailuresPerMinute { get; init; }

    /// <summary>The most bytes of one audit log file.</summary>
    public required long AuditMaxBytes { get; init; }

    /// <summary>How many old audit log files are kept.</summary>
    public required int AuditFiles { get; init; }

    /// <summary>How long audit events are kept even if that takes more files.</summary>
    public required TimeSpan AuditAge { get; init; }

    /// <summary>Null if objects are stored in <see cref="DataDirectory"/>.</summary>
    public required S3Settings? S3 { get; init; }

    public static ServerSettings Read() => Read(SettingsFiles.Read(Program));

    public static ServerSettings Read(SettingsReader settings)
    {
        var data = Path.GetFullPath(settings.Text("DATA_DIR", "zfs-server-data"));
        var remote = settings.Optional("ZFS_SSH_HOST", ZfsRemoteHost.Parse);
        var baseDataset = settings.Optional("ZFS_BASE_DATASET", DatasetName.Parse);
        var deleteDelay = TimeSpan.FromHours(settings.Number("DELETE_DELAY_HOURS", 24, 0, 24 * 365));
        var read = new ServerSettings
        {
            DataDirectory = data,
            ClientsFile = Path.GetFullPath(settings.Text("CONFIG_FILE", Path.Combine(data, "clients.json"))),
            DatabaseFile = DatabaseFileFor(
                Path.GetFullPath(settings.Text("METADATA_FILE", Path.Combine(data, "metadata.db")))
            ),
            // Kernels and sandboxes without IPv6 have no such sockets.
            BindAddress = settings.Address("BIND_ADDRESS", Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any),
            Port = settings.Number("PORT", 8080, 0, 65535),
            MaxConnections = settings.Number("MAX_CONNECTIONS", 2048, 16, 1_000_000),
            MaxConnectionsPerAddress = settings.Number("MAX_CONNECTIONS_PER_ADDRESS", 256, 8, 1_000_000),
            Zfs = new ZfsHost(remote).WithTimeout(TimeSpan.FromSeconds(settings.Number("ZFS_TIMEOUT", 300, 1, 86_400))),
            BaseDataset = baseDataset ?? DatasetName.Parse("backup"),
            HasBaseDataset = baseDataset is not null,
            UploadIdleTimeout = TimeSpan.FromSeconds(settings.Number("UPLOAD_IDLE_TIMEOUT", 900, 1, 86_400)),
            DownloadIdleTimeout = TimeSpan.FromSeconds(settings.Number("DOWNLOAD_IDLE_TIMEOUT", 900, 1, 86_400)),
            UploadExpiry = TimeSpan.FromDays(settings.Number("UPLOAD_EXPIRY_DAYS", 7, 1, 365)),
            MaxOpenUploads = settings.Number("MAX_OPEN_UPLOADS", 1000, 1, 1_000_000),
            PartSize = 1024 * 1024 * settings.Number("PART_SIZE_MIB", 8, 1, 512),
            MaxUploads = settings.Number("MAX_UPLOADS", 16, 1, 10_000),
            DeleteDelay = deleteDelay,
            DeleteDelayForSpace = settings.Text("DELETE_DELAY_HOURS") is null ? TimeSpan.Zero : deleteDelay,
            AuthFailuresPerMinute = settings.Number("AUTH_FAILURES_PER_MINUTE", 10, 0, 1_000_000),
            AuditMaxBytes = 1024L * 1024 * settings.Number("AUDIT_MAX_MIB", 16, 1, 10_240),
            AuditFiles = settings.Number("AUDIT_FILES", 10, 1, 1000),
            AuditAge = TimeSpan.FromDays(settings.Number("AUDIT_DAYS", 90, 0, 3650)),
            S3 = S3Settings.Read(settings),
        };
        settings.ThrowIfFaulty();
        return read;
    }

    /// <summary>
    /// The first version kept its metadata in a JSON file. If such a name is set, the database is created beside it,
    /// and the JSON file stays as it is.
    /// </summary>
    private static string DatabaseFileFor(string metadataFile) =>
        metadataFile.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            ? Path.ChangeExtension(metadataFile, ".db")
            : metadataFile;
}
