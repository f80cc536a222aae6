using System.CommandLine;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Rotation;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>rotate-remote</c>: asks the server to rotate this client's backups.</summary>
internal static class RotateRemoteCommand
{
    public static CommandWithExamples Create()
    {
        var dryRun = new Option<bool>("--dry-run")
        {
            Description = "Show for each backup whether it is kept and why. Change nothing.",
        };
        var verb = new CommandWithExamples(
            "rotate-remote",
            "Ask the server to delete the backups that the rotation policy does not keep: the server's policy for "
                + "this client, or the client's own if the server has none. The server waits a day, unless its "
                + "DELETE_DELAY_HOURS is another. Backups that a retained backup depends on are never deleted.",
            "zfs-client rotate-remote --dry-run",
            "zfs-client rotate-remote"
        )
        {
            dryRun,
            ProgramRunner.QuietOption,
        };
        verb.SetAction((parsed, cancellationToken) => RunAsync(parsed, parsed.GetValue(dryRun), cancellationToken));
        return verb;
    }

    private static async Task RunAsync(ParseResult parsed, bool dryRun, CancellationToken cancellationToken)
    {
        var output = Output.Of(parsed);
        var settings = ClientSettings.ReadForServer();
        using var server = new ApiClient(settings.Server);
        var request = new RotateRequest
        {
            DryRun = dryRun,
            RotationPolicy = settings.Rotation,
            MachineId = (await settings.FindMachineAsync(cancellationToken)).Id,
        };
        // Rotating twice is rotating once.
        var retry = ServerRetry.Create(settings.RetryTime, output, TimeProvider.System);
        var answer = await retry.RunAsync(token => server.RotateAsync(request, token), cancellationToken);
        if (answer is { ServerManaged: true, RotationPolicy: { } policy })
            EffectivePolicy.WarnIfIgnored(output, settings.Rotation, settings.RotationIsSet, policy);
        output.Result(answer, ApiJson.Default.RotateAnswer, text => Write(text, answer));
    }

    private static void Write(TextWriter text, RotateAnswer answer)
    {
        if (answer.Decisions.Count > 0)
            Table.Write(text, ["Snapshot ID", "Type", "Size", "Action", "Reason"], [.. answer.Decisions.Select(Row)]);
        text.WriteLine(
            $"{answer.Message} By {(answer.ServerManaged ? "the server's" : "this client's")} policy: "
                + $"{answer.RotationPolicy}."
        );
    }

    private static string[] Row(RotationItem item) =>
        [
            item.SnapshotId,
            SnapshotTypes.ToText(item.SnapshotType),
            ByteSize.Format(item.SizeBytes),
            item.ExpiresAt is { } expires ? $"{item.Action} {Timestamps.ToMinute(expires)}" : item.Action,
            item.Reason,
        ];
}
