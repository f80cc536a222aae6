using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Configuration;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>All settings of zfs-client; docs/configuration.md is their reference.</summary>
internal sealed record ClientSettings
{
    public const string SystemFile = "/etc/zfs-client.env";

    public required ServerConnection Server { get; init; }

    public required DatasetName Dataset { get; init; }

    public required CompressionFormat Compression { get; init; }

    /// <summary>Null: what the server has set for this client.</summary>
    public required string? StorageType { get; init; }

    /// <summary>What the names of this tool's snapshots start with.</summary>
    public required string SnapshotPrefix { get; init; }

    /// <param name="dataset">The one named on the command line; wins over LOCAL_DATASET.</param>
    public static ClientSettings Read(string? dataset)
    {
        var settings = ReadFiles(dataset);
        var local = settings.Required("LOCAL_DATASET", DatasetName.Parse);
        var compress = settings.Flag("COMPRESS", fallback: true);
        var storage = settings.Optional("STORAGE_TYPE", ParseStorageType);
        var prefix = settings.Optional("SNAPSHOT_PREFIX", ParsePrefix) ?? "zsm";
        var server = ServerConnection.Read(settings);
        return new ClientSettings
        {
            Server = server,
            Dataset = local!,
            Compression = compress ? CompressionFormat.Gzip : CompressionFormat.None,
            StorageType = storage,
            SnapshotPrefix = prefix,
        };
    }

    /// <summary>For what needs no server.</summary>
    public static DatasetName ReadDataset(string? dataset)
    {
        var settings = ReadFiles(dataset);
        var local = settings.Required("LOCAL_DATASET", DatasetName.Parse);
        settings.ThrowIfFaulty();
        return local!;
    }

    private static SettingsReader ReadFiles(string? dataset) =>
        SettingsFiles.Read(SystemFile, new Dictionary<string, string?>(StringComparer.Ordinal) { ["LOCAL_DATASET"] = dataset });

    private static string ParseStorageType(string text) => text is "s3" or "local" ? text : throw new FormatException("it may be s3 or local");

    private static string ParsePrefix(string text) =>
        text.Length <= 40 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? text
            : throw new FormatException("it may have up to 40 letters, digits, '-', '_' and '.'");
}
