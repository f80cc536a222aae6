using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server client rotate-key</c>.</summary>
internal static class ClientKeyCommand
{
    private const int DefaultOverlap = 168; // a week: time for a machine that is off over the weekend
    private const int LongestOverlap = 24 * 366;

    public static CommandWithExamples Create()
    {
        var name = ClientCommands.NameArgument();
        var overlap = new Option<int>("--overlap")
        {
            Description =
                $"Hours for which the old key is still accepted; 0: it expires at once (default: {DefaultOverlap}).",
            HelpName = "hours",
            DefaultValueFactory = _ => DefaultOverlap,
        };
        var rotate = new CommandWithExamples(
            "rotate-key",
            "Give a client a new key and print it, once. The old key is accepted for a while longer.",
            "zfs-server client rotate-key web1",
            "zfs-server client rotate-key web1 --overlap 0"
        )
        {
            name,
            overlap,
        };
        rotate.SetAction(parsed =>
            Run(Output.Of(parsed), parsed.GetRequiredValue(name), parsed.GetValue(overlap), TimeProvider.System)
        );
        return rotate;
    }

    private static void Run(Output output, string id, int overlap, TimeProvider time)
    {
        if (overlap is < 0 or > LongestOverlap)
            throw new OperationException(ExitCode.Usage, $"--overlap: it must be from 0 to {LongestOverlap} hours.");
        var settings = ServerSettings.Read();
        var key = ApiKey.Generate();
        var (before, after) = ClientCommands.Edit(settings.ClientsFile, id, client =>
            Rotate(client, key, overlap, time.GetUtcNow())
        );
        var dropped = before.OldApiKeyUntil > time.GetUtcNow();
        ClientCommands.Note(
            settings,
            AuditEvents.ClientKeyRotated,
            id,
            ClientChanges.FieldsOf(after).Where(field => field.Name == "old_api_key_until")
        );
        output.Result(
            new RotatedKey
            {
                ClientId = id,
                ApiKey = key,
                OldApiKeyUntil = after.OldApiKeyUntil,
                ClientsFile = settings.ClientsFile,
            },
            ClientCommandsJson.Default.RotatedKey,
            text =>
            {
                text.WriteLine($"Client '{id}' has a new key. On its machine, set it in .env or /etc/zfs-client.env:");
                text.WriteLine();
                text.WriteLine($"API_KEY={key}");
                text.WriteLine();
                text.WriteLine("The key is shown only now: the server stores only its hash.");
                text.WriteLine(
                    after.OldApiKeyUntil is { } until
                        ? $"The old key is accepted until {Timestamps.ToSecond(until)}."
                        : "The old key is no longer accepted."
                );
                if (dropped)
                    text.WriteLine("The key before the old one, from an earlier rotation, is no longer accepted.");
            }
        );
    }

    /// <summary>The client with a new key; its previous key stays valid for the overlap, in hours.</summary>
    public static ClientEntry Rotate(ClientEntry client, string key, int overlap, DateTimeOffset now) =>
        client with
        {
            ApiKey = ApiKey.Hash(key),
            OldApiKey = overlap == 0 ? null : client.ApiKey,
            OldApiKeyUntil =
                overlap == 0 ? null : DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds()).AddHours(overlap),
        };
}
