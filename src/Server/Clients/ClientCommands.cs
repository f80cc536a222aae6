using System.CommandLine;
using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Rotation;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary><c>zfs-server client …</c>: edits clients.json.</summary>
internal static class ClientCommands
{
    public static Verb Create() => new("client", "Manage the clients that may store backups here.") { CreateAdd(), CreateList() };

    private static Verb CreateAdd()
    {
        var name = new Argument<string>("client-id") { Description = "The client's name: letters, digits, '-', '_' and '.'." };
        var size = new Option<string>("--max-size") { Description = "Quota in stored bytes, such as 100G or 2TiB; shown, not yet enforced (default: none).", HelpName = "size" };
        var dataset = new Option<string>("--dataset") { Description = "Dataset for local ZFS storage, which this version does not have yet (default: ZFS_BASE_DATASET/client-id).", HelpName = "dataset" };
        var add = new Verb("add", "Add a client and print its key, once.", "zfs-server client add web1", "zfs-server client add web1 --max-size 500G") { name, size, dataset };
        add.SetAction(parsed => Add(new Output(parsed.GetValue(ProgramRunner.JsonOption)), parsed.GetRequiredValue(name), parsed.GetValue(size), parsed.GetValue(dataset)));
        return add;
    }

    private static Verb CreateList()
    {
        var list = new Verb("list", "List the clients.", "zfs-server client list", "zfs-server client list --json");
        list.SetAction(parsed => List(new Output(parsed.GetValue(ProgramRunner.JsonOption))));
        return list;
    }

    private static void Add(Output output, string id, string? maxSize, string? dataset)
    {
        if (!ClientsFile.IsClientId(id)) throw new OperationException(ExitCode.Usage, $"'{id}' is not a client's name: {ClientsFile.ClientIdRule}.");
        var settings = ServerSettings.Read();
        var key = ApiKey.Generate();
        var client = new ClientEntry
        {
            ClientId = id,
            ApiKey = ApiKey.Hash(key),
            MaxSizeBytes = maxSize is null ? 0 : Parse("--max-size", maxSize, ByteSize.Parse),
            Dataset = dataset is null ? $"{settings.BaseDataset}/{id}" : Parse("--dataset", dataset, DatasetName.Parse).Value,
        };
        ClientsFile.Change(settings.ClientsFile, clients => clients.Any(c => c.ClientId.Equals(id, StringComparison.OrdinalIgnoreCase))
            ? throw new OperationException(ExitCode.Conflict, $"There is a client '{id}' already in {settings.ClientsFile}.", "Choose another name.")
            : [.. clients, client]);
        output.Result(new AddedClient { ClientId = id, ApiKey = key, ClientsFile = settings.ClientsFile }, ClientCommandsJson.Default.AddedClient, text =>
        {
            text.WriteLine($"Added client '{id}' to {settings.ClientsFile}. A running server takes it up at once.");
            text.WriteLine("On the client's machine, write into .env or /etc/zfs-client.env:");
            text.WriteLine();
            text.WriteLine($"CLIENT_ID={id}");
            text.WriteLine($"API_KEY={key}");
            text.WriteLine();
            text.WriteLine("The key is shown only now: the server keeps nothing but its hash.");
        });
    }

    private static void List(Output output)
    {
        var clients = ClientsFile.Read(ServerSettings.Read().ClientsFile);
        var shown = clients.Select(c => new ListedClient
        {
            ClientId = c.ClientId,
            Enabled = c.Enabled,
            MaxSizeBytes = c.MaxSizeBytes,
            StorageType = c.StorageType,
            Dataset = c.Dataset,
            RotationPolicy = c.RotationPolicy,
        }).ToList();
        output.Result(shown, ClientCommandsJson.Default.ListListedClient, text =>
        {
            if (shown.Count == 0) text.WriteLine("There are no clients. Add one: zfs-server client add NAME");
            else Table.Write(text, ["Client", "Enabled", "Quota", "Storage", "Rotation"], [.. shown.Select(Row)]);
        });
    }

    private static string[] Row(ListedClient client) =>
    [
        client.ClientId,
        client.Enabled ? "yes" : "no",
        client.MaxSizeBytes == 0 ? "none" : ByteSize.Format(client.MaxSizeBytes),
        client.StorageType,
        client.RotationPolicy is { } p ? $"{p.KeepHourly}h {p.KeepDaily}d {p.KeepWeekly}w {p.KeepMonthly}m" : "the client's own",
    ];

    private static T Parse<T>(string option, string text, Func<string, T> parse)
    {
        try
        {
            return parse(text);
        }
        catch (FormatException e)
        {
            throw new OperationException(ExitCode.Usage, $"{option}: {e.Message}.", null, e);
        }
    }
}

internal sealed record AddedClient
{
    public required string ClientId { get; init; }

    public required string ApiKey { get; init; }

    public required string ClientsFile { get; init; }
}

/// <summary>A client without its key's hash, which a list has no use for.</summary>
internal sealed record ListedClient
{
    public required string ClientId { get; init; }

    public required bool Enabled { get; init; }

    public required long MaxSizeBytes { get; init; }

    public required string StorageType { get; init; }

    public required string? Dataset { get; init; }

    public required RotationPolicy? RotationPolicy { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AddedClient))]
[JsonSerializable(typeof(List<ListedClient>))]
internal sealed partial class ClientCommandsJson : JsonSerializerContext;
