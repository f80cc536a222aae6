using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Events;

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
        set.SetAction(
            (parsed, cancellationToken) =>
                SetAsync(
                    Output.Of(parsed),
                    parsed.GetRequiredValue(name),
                    options.Read(parsed),
                    parsed.GetValue(noPolicy),
                    cancellationToken
                )
        );
        return set;
    }

    public static CommandWithExamples CreateDisable() =>
        CreateSwitch(
            "disable",
            "Lock a client out: all its requests are refused, and those that run end. Its backups stay, also those "
                + "that were rotated and are to be deleted.",
            enabled: false
        );

    public static CommandWithExamples CreateEnable() => CreateSwitch("enable", "Allow a client again.", enabled: true);

    private static CommandWithExamples CreateSwitch(string verb, string description, bool enabled)
    {
        var name = ClientCommands.NameArgument();
        var command = new CommandWithExamples(verb, description, $"zfs-server client {verb} web1") { name };
        command.SetAction(
            (parsed, cancellationToken) =>
                ChangeAsync(
                    Output.Of(parsed),
                    parsed.GetRequiredValue(name),
                    enabled ? ServerEvents.ClientEnabled : ServerEvents.ClientDisabled,
                    client => client with { Enabled = enabled },
                    cancellationToken
                )
        );
        return command;
    }

    private static Task<int> SetAsync(
        Output output,
        string id,
        ClientOptions.Values values,
        bool noPolicy,
        CancellationToken cancellationToken
    )
    {
        if (noPolicy && values.HasPolicy)
            throw new OperationException(ExitCode.Usage, "--no-policy and --keep-… contradict each other.");
        if (!noPolicy && values == new ClientOptions.Values())
            throw new OperationException(
                ExitCode.Usage,
                "No change was requested.",
                "See 'zfs-server client set --help'."
            );
        return ChangeAsync(
            output,
            id,
            ServerEvents.ClientChanged,
            client => values.Apply(noPolicy ? client with { RotationPolicy = null } : client),
            cancellationToken
        );
    }

    private static Task<int> ChangeAsync(
        Output output,
        string id,
        string name,
        Func<ClientEntry, ClientEntry> edit,
        CancellationToken cancellationToken
    ) =>
        ClientCommands.ChangeAsync(
            output,
            clients => clients.Change(id, name, edit),
            ClientCommandsJson.Default.ChangedClient,
            Write,
            cancellationToken
        );

    private static void Write(TextWriter text, ChangedClient changed, string use)
    {
        text.WriteLine(
            changed.Changes.Count == 0
                ? $"Client '{changed.ClientId}' already has these settings. {use}"
                : $"Changed client '{changed.ClientId}' in {changed.ClientsFile}. {use}"
        );
        foreach (var change in changed.Changes)
            text.WriteLine($"  {change}");
        if (changed.ExpiringBackups > 0)
            text.WriteLine(
                $"{changed.ExpiringBackups} of its backups were rotated and are to be deleted. They stay while the "
                    + "client is disabled; before you enable it again, keep those that you need: zfs-server backup "
                    + $"keep --client {changed.ClientId} --expiring"
            );
    }
}
