using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Clients;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary>The options by which <c>client add</c> and <c>client set</c> give a client its fields.</summary>
internal sealed class ClientOptions
{
    private readonly Option<string> _maxSize = new("--max-size")
    {
        Description = "Quota in stored bytes, such as 100G or 2TiB, or 'none'.",
        HelpName = "size",
    };
    private readonly Option<string> _dataset = new("--dataset")
    {
        Description = "Dataset for local ZFS storage (a new client's default: ZFS_BASE_DATASET/client-id).",
        HelpName = "dataset",
    };
    private readonly Option<string> _storageType = new("--storage-type")
    {
        Description = "Where backups are stored: 's3' means the server's object store, 'local' ZFS on the server.",
        HelpName = "s3|local",
    };
    private readonly Option<int?> _hourly = Keep("hourly", 24);
    private readonly Option<int?> _daily = Keep("daily", 7);
    private readonly Option<int?> _weekly = Keep("weekly", 4);
    private readonly Option<int?> _monthly = Keep("monthly", 12);

    public void AddTo(CommandWithExamples verb)
    {
        foreach (var option in (Option[])[_maxSize, _dataset, _storageType, _hourly, _daily, _weekly, _monthly])
            verb.Options.Add(option);
    }

    /// <exception cref="OperationException">A value is wrong.</exception>
    public Values Read(ParseResult parsed) =>
        new()
        {
            MaxSizeBytes = parsed.GetValue(_maxSize) is { } size
                ? ClientCommands.Parse<long?>("--max-size", size, text => text == "none" ? 0 : ByteSize.Parse(text))
                : null,
            Dataset = parsed.GetValue(_dataset) is { } dataset
                ? ClientCommands.Parse("--dataset", dataset, DatasetName.Parse).Value
                : null,
            StorageType = parsed.GetValue(_storageType) switch
            {
                null or "s3" or "local" => parsed.GetValue(_storageType),
                var other => throw new OperationException(
                    ExitCode.Usage,
                    $"--storage-type: '{other}' is neither 's3' nor 'local'."
                ),
            },
            KeepHourly = Count(parsed, _hourly),
            KeepDaily = Count(parsed, _daily),
            KeepWeekly = Count(parsed, _weekly),
            KeepMonthly = Count(parsed, _monthly),
        };

    private static Option<int?> Keep(string type, int fallback) =>
        new($"--keep-{type}")
        {
            Description =
                $"How many {type} backups to keep. Any --keep option makes the policy server-managed (default then: "
                + $"{fallback}).",
            HelpName = "n",
        };

    private static int? Count(ParseResult parsed, Option<int?> option) =>
        parsed.GetValue(option) is < 0 or > RotationPolicy.MaxKeep
            ? throw new OperationException(ExitCode.Usage, $"{option.Name}: expected 0 to {RotationPolicy.MaxKeep}.")
            : parsed.GetValue(option);

    /// <summary>The values that were given; null for those that were not.</summary>
    internal sealed record Values
    {
        public long? MaxSizeBytes { get; init; }

        public string? Dataset { get; init; }

        public string? StorageType { get; init; }

        public int? KeepHourly { get; init; }

        public int? KeepDaily { get; init; }

        public int? KeepWeekly { get; init; }

        public int? KeepMonthly { get; init; }

        public bool HasPolicy => (KeepHourly ?? KeepDaily ?? KeepWeekly ?? KeepMonthly) is not null;

        /// <summary>The client with the given fields; the others stay unchanged.</summary>
        public ClientEntry Apply(ClientEntry client) =>
            client with
            {
                MaxSizeBytes = MaxSizeBytes ?? client.MaxSizeBytes,
                Dataset = Dataset ?? client.Dataset,
                StorageType = StorageType ?? client.StorageType,
                RotationPolicy = HasPolicy
                    ? Apply(client.RotationPolicy ?? new RotationPolicy())
                    : client.RotationPolicy,
            };

        private RotationPolicy Apply(RotationPolicy policy) =>
            policy with
            {
                KeepHourly = KeepHourly ?? policy.KeepHourly,
                KeepDaily = KeepDaily ?? policy.KeepDaily,
                KeepWeekly = KeepWeekly ?? policy.KeepWeekly,
                KeepMonthly = KeepMonthly ?? policy.KeepMonthly,
            };
    }
}
