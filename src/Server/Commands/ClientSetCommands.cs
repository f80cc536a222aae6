using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server client set</c>, <c>disable</c> and <c>enable</c>.</summary>
internal static class ClientSetCommands
{
    public static CommandWithExamples CreateSet()
    {
        var name = ClientCommands.NameArgument();
        var options = new ClientOptions();
        var noPolicy = new Option<bool>("--no-policy")
        {
            Description = "Remove the server-managed rotation policy: the client's own applies from then on.",
        };
        var set = new CommandWithExamples(
            "set",
            "Change a client. Fields without an option stay unchanged.",
            "zfs-server client set web1 --max-size 1T",
            "zfs-server client set web1 --max-size none --storage-type s3",
            "zfs-server client set web1 --keep-hourly 48 --keep-daily 30",
            "zfs-server client set web1 --no-policy"
        )
        {
            name,
        };
        options.AddTo(set);
        set.Options.Add(noPolicy);
        set.SetAction(parsed =>
            Set(Output.Of(parsed), parsed.GetRequiredValue(name), options.Read(parsed), parsed.GetValue(noPolicy))
        );
        return set;
    }

    public static CommandWithExamples CreateDisable() =>
        CreateSwitch("disable", "Lock a client out: all its requests are refused. Its backups stay.", enabled: false);

    public static CommandWithExamples CreateEnable() => CreateSwitch("enable", "Allow a client again.", enabled: true);

    private static CommandWithExamples CreateSwitch(string verb, string description, bool enabled)
    {
        var name = ClientCommands.NameArgument();
        var command = new CommandWithExamples(verb, description, $"zfs-server client {verb} web1") { name };
        command.SetAction(parsed =>
            Change(
                Output.Of(parsed),
                parsed.GetRequiredValue(name),
                enabled ? AuditEvents.ClientEnabled : AuditEvents.ClientDisabled,
                client => client with { Enabled = enabled }
            )
        );
        return command;
    }

    private static void Set(Output output, string id, ClientOptions.Values values, bool noPolicy)
    {
        if (noPolicy && values.HasPolicy)
            throw new OperationException(ExitCode.Usage, "--no-policy and --keep-… contradict each other.");
        if (!noPolicy && values == new ClientOptions.Values())
            throw new OperationException(
                ExitCode.Usage,
                "No change was requested.",
                "See 'zfs-server client set --help'."
            );
        Change(output, id, AuditEvents.ClientChanged, client =>
            values.Apply(noPolicy ? client with { RotationPolicy = null } : client)
        );
    }

    private static void Change(Output output, string id, string name, Func<ClientEntry, ClientEntry> edit)
    {
        var settings = ServerSettings.Read();
        var (before, after) = ClientCommands.Edit(settings.ClientsFile, id, edit);
        var changes = ClientChanges.Between(before, after);
        if (changes.Count > 0)
            ClientCommands.Note(
                settings,
                name,
                id,
                changes.Select(change => (change.Field, $"{change.Old} → {change.New}"))
            );
        output.Result(
            new ChangedClient
            {
                ClientId = id,
                ClientsFile = settings.ClientsFile,
                Changes = changes,
            },
            ClientCommandsJson.Default.ChangedClient,
            text =>
            {
                if (changes.Count == 0)
                    text.WriteLine($"Client '{id}' already has these settings.");
                else
                    text.WriteLine(
                        $"Changed client '{id}' in {settings.ClientsFile}. A running server uses it at once."
                    );
                foreach (var change in changes)
                    text.WriteLine($"  {change}");
            }
        );
    }
}
