namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>The settings that a program knows, and the file in /etc that has them.</summary>
/// <param name="SystemFile">Such as <c>/etc/zfs-client.env</c>.</param>
/// <param name="Names">Every setting that this program, or another that reads the same file, knows. Other names in
/// that file are faults: a mistyped EXCLUDE must not be without effect.</param>
public sealed record ProgramSettings(string SystemFile, IReadOnlySet<string> Names)
{
    /// <summary>The environment variable that names a file to read instead of <see cref="SystemFile"/>.</summary>
    public const string FileVariable = "ZFS_SETTINGS_FILE";

    /// <summary>
    /// A setting that no <c>.env</c> may have: it decides on which machine commands run, and a working directory can be
    /// somebody else's, such as a cloned repository.
    /// </summary>
    public const string NeverInWorkingDirectory = "ZFS_SSH_HOST";

    /// <summary>zfs-client and zfs-restore: both programs of a machine use the same key.</summary>
    public static ProgramSettings Client { get; } =
        new(
            "/etc/zfs-client.env",
            new HashSet<string>(
                [
                    "CLIENT_ID",
                    "API_KEY",
                    "API_KEY_FILE",
                    "SERVER_URL",
                    "TLS_CA_FILE",
                    "LOCAL_DATASET",
                    "RECURSIVE",
                    "EXCLUDE",
                    "RESPECT_AUTO_SNAPSHOT",
                    "RAW_SEND",
                    "ZFS_SSH_HOST",
                    "COMPRESSION",
                    "COMPRESSION_LEVEL",
                    "COMPRESS",
                    "UPLOAD_PARALLEL",
                    "BANDWIDTH_LIMIT",
                    "STORAGE_TYPE",
                    "DOWNLOAD_PARALLEL",
                    "RETRY_TIME",
                    "KEEP_HOURLY",
                    "KEEP_DAILY",
                    "KEEP_WEEKLY",
                    "KEEP_MONTHLY",
                    "KEEP_MANUAL",
                    "MAX_CHAIN",
                    "LOCAL_ROTATION",
                    "MACHINE_ID",
                    "SNAPSHOT_PREFIX",
                ],
                StringComparer.Ordinal
            )
        );
}
