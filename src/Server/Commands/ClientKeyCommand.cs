using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Clients;

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
        rotate.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(Output.Of(parsed), parsed.GetRequiredValue(name), parsed.GetValue(overlap), cancellationToken)
        );
        return rotate;
    }

    private static Task<int> RunAsync(Output output, string id, int overlap, CancellationToken cancellationToken)
    {
        if (overlap is < 0 or > LongestOverlap)
            throw new OperationException(ExitCode.Usage, $"--overlap: it must be from 0 to {LongestOverlap} hours.");
        var droppedEarlier = false;
        return ClientCommands.ChangeAsync(
            output,
            clients =>
            {
                (var rotated, droppedEarlier) = clients.RotateKey(id, overlap);
                return rotated;
            },
            ClientCommandsJson.Default.RotatedKey,
            (text, rotated, use) => Write(text, rotated, droppedEarlier, use),
            cancellationToken
        );
    }

    private static void Write(TextWriter text, RotatedKey rotated, bool droppedEarlier, string use)
    {
        text.WriteLine(
            $"Client '{rotated.ClientId}' has a new key. On its machine, set it in .env or /etc/zfs-client.env:"
        );
        text.WriteLine();
        text.WriteLine($"API_KEY={rotated.ApiKey}");
        text.WriteLine();
        text.WriteLine("The key is shown only now: the server stores only its hash.");
        text.WriteLine(
            rotated.OldApiKeyUntil is { } until
                ? $"The old key is accepted until {Timestamps.ToSecond(until)}. {use}"
                : $"The old key is no longer accepted. {use}"
        );
        if (droppedEarlier)
            text.WriteLine("The key before the old one, from an earlier rotation, is no longer accepted.");
    }
}
