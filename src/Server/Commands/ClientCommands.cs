using System.CommandLine;
using System.Text.Json.Serialization.Metadata;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Doctor;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server client …</c>: edits clients.json.</summary>
internal static class ClientCommands
{
    public static CommandWithExamples Create() =>
        new("client", "Manage the clients that may store backups here.")
        {
            ClientAddCommand.Create(),
            ClientListCommands.CreateList(),
            ClientListCommands.CreateShow(),
            ClientSetCommands.CreateSet(),
            ClientKeyCommand.Create(),
            ClientSetCommands.CreateDisable(),
            ClientSetCommands.CreateEnable(),
            ClientRemoveCommand.Create(),
        };

    public static Argument<string> NameArgument() => new("client-id") { Description = "The client's id." };

    /// <summary>Runs what a command does with the clients.</summary>
    public static void Run(Action<ClientAdministration> action)
    {
        using var services = CommandServices.Create(ServerSettings.Read());
        action(services.GetRequiredService<ClientAdministration>());
    }

    /// <summary>
    /// Changes the clients, asks the running server whether it uses the change, and writes the result.
    /// </summary>
    /// <param name="change">The change.</param>
    /// <param name="write">Writes the result as text; it gets what the server says of the change.</param>
    /// <returns>The exit code: the server may have refused the change, which was made.</returns>
    public static async Task<int> ChangeAsync<T>(
        Output output,
        Func<ClientAdministration, T> change,
        JsonTypeInfo<T> type,
        Action<TextWriter, T, string> write,
        CancellationToken cancellationToken
    )
    {
        var settings = ServerSettings.Read();
        await using var services = CommandServices.Create(settings);
        var result = change(services.GetRequiredService<ClientAdministration>());
        var use = await RunningServer.UsesClientsAsync(settings, cancellationToken);
        if (use.IsRefused || use.IsUnknown)
            output.Warn(use.Text);
        output.Result(result, type, text => write(text, result, use.Text), success: !use.IsRefused);
        return (int)(use.IsRefused ? ExitCode.ServerFailed : ExitCode.Success);
    }

    public static T Parse<T>(string option, string text, Func<string, T> parse)
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
