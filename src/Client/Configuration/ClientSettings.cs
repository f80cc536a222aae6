using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>All settings of zfs-client; docs/configuration.md is their reference.</summary>
internal sealed record ClientSettings
{
    /// <summary>Bytes per second. A smaller number is most likely meant in another unit.</summary>
    private const long LeastBandwidth = 10_000;

    private static readonly Dictionary<string, string?> NoCommandLine = new(StringComparer.Ordinal);

    public required ServerConnection Server { get; init; }

    /// <summary>Where <c>zfs</c> runs.</summary>
    public required ZfsHost Zfs { get; init; }

    public required DatasetSelection Selection { get; init; }

    /// <summary>
    /// Whether encrypted datasets are sent as they are on disk, so that neither the server nor anybody in between can
    /// read them.
    /// </summary>
    public required bool RawSend { get; init; }

    public required CompressionFormat Compression { get; init; }

    /// <summary>Null: the format's default.</summary>
    public required int? CompressionLevel { get; init; }

    /// <summary>Maximum number of parts sent at once.</summary>
    public required int UploadParallel { get; init; }

    /// <summary>Stored bytes per second; null: no limit.</summary>
    public required long? BandwidthLimit { get; init; }

    /// <summary>How long transient failures are retried; zero: not at all.</summary>
    public required TimeSpan RetryTime { get; init; }

    /// <summary>Null: the server's choice for this client.</summary>
    public required string? StorageType { get; init; }

    /// <summary>Prefix of the names of snapshots that this program creates.</summary>
    public required string SnapshotPrefix { get; init; }

    /// <summary>How many snapshots of each class are kept, unless the server has a policy for the client.</summary>
    public required RotationPolicy Rotation { get; init; }

    /// <summary>Whether any of the KEEP_… settings is given.</summary>
    public required bool RotationIsSet { get; init; }

    /// <summary>Whether the server's policy for the client, if it has one, rotates local snapshots too.</summary>
    public required bool FollowsServerPolicy { get; init; }

    /// <summary>
    /// How many snapshots of <c>backup</c> stay on this machine, besides the one that the next backup starts from.
    /// </summary>
    public required int KeepManual { get; init; }

    /// <summary>Incrementals after which a new full backup is made; 0: no limit.</summary>
    public required int MaxChain { get; init; }

    /// <summary>The name that stands for the machine; null: the machine's own id.</summary>
    public required string? MachineId { get; init; }

    /// <summary>The machine that the datasets are on.</summary>
    public Task<Machine> FindMachineAsync(CancellationToken cancellationToken) =>
        FindMachineAsync(MachineId, Zfs, cancellationToken);

    /// <param name="commandLine">Overrides the files.</param>
    public static ClientSettings Read(IReadOnlyDictionary<string, string?> commandLine)
    {
        var settings = ReadFiles(commandLine);
        var (zfs, selection) = ReadSelection(settings);
        var raw = settings.Text("RAW_SEND")?.ToLowerInvariant() == "auto" || settings.Flag("RAW_SEND", fallback: true);
        var compression = ReadCompression(settings);
        var level = ReadCompressionLevel(settings, compression);
        var parallel = settings.Number("UPLOAD_PARALLEL", fallback: 4, least: 1, most: 16);
        var bandwidth = settings.OptionalValue("BANDWIDTH_LIMIT", ParseBandwidth);
        var retry = ReadRetryTime(settings);
        var storage = settings.Optional("STORAGE_TYPE", ParseStorageType);
        var prefix = settings.Optional("SNAPSHOT_PREFIX", ParsePrefix) ?? "zsm";
        var (rotation, rotationIsSet) = ReadRotation(settings);
        var followsServer = settings.OptionalValue("LOCAL_ROTATION", ParseLocalRotation) ?? true;
        var keepManual = settings.Number("KEEP_MANUAL", fallback: 3, least: 0, most: 1_000_000);
        var maxChain = settings.Number("MAX_CHAIN", fallback: 60, least: 0, most: 100_000);
        var machine = settings.Optional("MACHINE_ID", ParseMachine);
        var server = ServerConnection.Read(settings);
        return new ClientSettings
        {
            Server = server,
            Zfs = zfs,
            Selection = selection,
            RawSend = raw,
            Compression = compression,
            CompressionLevel = level,
            UploadParallel = parallel,
            BandwidthLimit = bandwidth,
            RetryTime = retry,
            StorageType = storage,
            SnapshotPrefix = prefix,
            Rotation = rotation,
            RotationIsSet = rotationIsSet,
            FollowsServerPolicy = followsServer,
            KeepManual = keepManual,
            MaxChain = maxChain,
            MachineId = machine,
        };
    }

    /// <summary>Reads what commands without a dataset need.</summary>
    public static ServerSettings ReadForServer()
    {
        var settings = ReadFiles(NoCommandLine);
        var (rotation, isSet) = ReadRotation(settings);
        var machine = settings.Optional("MACHINE_ID", ParseMachine);
        var zfs = new ZfsHost(settings.Optional("ZFS_SSH_HOST", ZfsRemoteHost.Parse));
        var retry = ReadRetryTime(settings);
        return new ServerSettings(ServerConnection.Read(settings), retry, rotation, isSet, token =>
            FindMachineAsync(machine, zfs, token)
        );
    }

    /// <summary>Reads what commands without a server need.</summary>
    public static (ZfsHost Zfs, DatasetSelection Selection) ReadSelection(
        IReadOnlyDictionary<string, string?> commandLine
    )
    {
        var settings = ReadFiles(commandLine);
        var selection = ReadSelection(settings);
        settings.ThrowIfFaulty();
        return selection;
    }

    private static (ZfsHost Zfs, DatasetSelection Selection) ReadSelection(SettingsReader settings)
    {
        var zfs = new ZfsHost(settings.Optional("ZFS_SSH_HOST", ZfsRemoteHost.Parse));
        var roots = settings.Required("LOCAL_DATASET", text => ParseList(text, DatasetName.Parse));
        var excludes = settings.Optional("EXCLUDE", text => ParseList(text, DatasetPattern.Parse)) ?? [];
        if (settings.Flag(DatasetSelection.NoExclude, fallback: false))
            excludes = [];
        var more = settings.Optional(DatasetSelection.MoreExcludes, text => ParseList(text, DatasetPattern.Parse));
        var recursive = settings.Flag("RECURSIVE", fallback: false);
        var autoSnapshot = settings.OptionalValue("RESPECT_AUTO_SNAPSHOT", ParseAutoSnapshot);
        return (
            zfs,
            new DatasetSelection(
                roots ?? [],
                recursive,
                [.. excludes, .. more ?? []],
                autoSnapshot ?? AutoSnapshotRule.Received
            )
        );
    }

    private static CompressionFormat ReadCompression(SettingsReader settings)
    {
        if (settings.Prevails("COMPRESSION", "COMPRESS"))
            return settings.OptionalValue("COMPRESSION", ParseCompression) ?? CompressionFormat.None;
        return settings.Flag("COMPRESS", fallback: true) ? CompressionFormat.Gzip : CompressionFormat.None;
    }

    private static int? ReadCompressionLevel(SettingsReader settings, CompressionFormat compression)
    {
        if (settings.Text("COMPRESSION_LEVEL") is null || compression == CompressionFormat.None)
            return null;
        var levels = CompressionLevels.Of(compression);
        return settings.Number("COMPRESSION_LEVEL", levels.Default, levels.Minimum, levels.Maximum);
    }

    private static T[] ParseList<T>(string text, Func<string, T> parse)
    {
        T[] list =
        [
            .. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(parse),
        ];
        return list.Length > 0 ? list : throw new FormatException("it names nothing");
    }

    private static TimeSpan ReadRetryTime(SettingsReader settings) =>
        TimeSpan.FromSeconds(settings.Number("RETRY_TIME", fallback: 3600, least: 0, most: 7 * 86400));

    private static (RotationPolicy Policy, bool IsSet) ReadRotation(SettingsReader settings)
    {
        var policy = new RotationPolicy();
        policy.KeepHourly = settings.Number("KEEP_HOURLY", policy.KeepHourly, 0, RotationPolicy.MaxKeep);
        policy.KeepDaily = settings.Number("KEEP_DAILY", policy.KeepDaily, 0, RotationPolicy.MaxKeep);
        policy.KeepWeekly = settings.Number("KEEP_WEEKLY", policy.KeepWeekly, 0, RotationPolicy.MaxKeep);
        policy.KeepMonthly = settings.Number("KEEP_MONTHLY", policy.KeepMonthly, 0, RotationPolicy.MaxKeep);
        return (
            policy,
            ((string[])["KEEP_HOURLY", "KEEP_DAILY", "KEEP_WEEKLY", "KEEP_MONTHLY"]).Any(key =>
                settings.Text(key) is not null
            )
        );
    }

    private static SettingsReader ReadFiles(IReadOnlyDictionary<string, string?> commandLine) =>
        SettingsFiles.Read(ProgramSettings.Client, commandLine);

    private static AutoSnapshotRule ParseAutoSnapshot(string text) =>
        text.ToLowerInvariant() switch
        {
            "received" => AutoSnapshotRule.Received,
            "true" => AutoSnapshotRule.Always,
            "false" => AutoSnapshotRule.Never,
            _ => throw new FormatException("it may be received, true or false"),
        };

    private static CompressionFormat ParseCompression(string text) =>
        CompressionFormats.TryParse(text.ToLowerInvariant(), out var format)
            ? format
            : throw new FormatException("it may be gzip, zstd or none");

    private static long ParseBandwidth(string text) =>
        ByteSize.Parse(text) is >= LeastBandwidth and var rate
            ? rate
            : throw new FormatException(
                $"it may be {LeastBandwidth} bytes per second or more; leave it out for no limit"
            );

    private static string ParseStorageType(string text) =>
        StorageTypes.IsKnown(text) ? text : throw new FormatException("it may be s3 or local");

    private static Task<Machine> FindMachineAsync(string? name, ZfsHost zfs, CancellationToken cancellationToken) =>
        name is null ? Machine.FindAsync(zfs, cancellationToken) : Task.FromResult(Machine.Named(name));

    private static string ParseMachine(string text) =>
        text.Length <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? text
            : throw new FormatException("it may have up to 64 letters, digits, '-', '_' and '.'");

    private static bool ParseLocalRotation(string text) =>
        text.ToLowerInvariant() switch
        {
            "server" => true,
            "client" => false,
            _ => throw new FormatException("it may be server or client"),
        };

    private static string ParsePrefix(string text) =>
        text.Length <= 40 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? text
            : throw new FormatException("it may have up to 40 letters, digits, '-', '_' and '.'");
}

/// <summary>What commands without a dataset need.</summary>
/// <param name="Server">The server.</param>
/// <param name="Rotation">How many backups of each class are kept, unless the server has a policy.</param>
/// <param name="RotationIsSet">Whether any of the KEEP_… settings is given.</param>
/// <param name="FindMachineAsync">Finds the machine that the datasets are on.</param>
internal sealed record ServerSettings(
    ServerConnection Server,
    TimeSpan RetryTime,
    RotationPolicy Rotation,
    bool RotationIsSet,
    Func<CancellationToken, Task<Machine>> FindMachineAsync
);
