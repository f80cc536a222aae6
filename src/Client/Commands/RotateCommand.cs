using System.CommandLine;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Rotation;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>rotate</c>: destroys the local snapshots that the policy does not keep.</summary>
internal static class RotateCommand
{
    public static CommandWithExamples Create()
    {
        var dryRun = new Option<bool>("--dry-run")
        {
            Description = "Show for each snapshot whether it is kept and why. Change nothing.",
        };
        var verb = new CommandWithExamples(
            "rotate",
            "Destroy the local snapshots that the rotation policy does not keep. Only snapshots made by "
                + "'zfs-client snapshot' are affected.",
            "zfs-client rotate --dry-run",
            "zfs-client rotate",
            "zfs-client rotate --dataset tank/home --json",
            "zfs-client rotate --recursive"
        )
        {
            dryRun,
        };
        DatasetOptions.AddTo(verb);
        verb.SetAction(
            async (parsed, cancellationToken) =>
            {
                var output = new Output(parsed.GetValue(ProgramRunner.JsonOption));
                var settings = ClientSettings.Read(DatasetOptions.Read(parsed));
                using var server = new ApiClient(settings.Server);
                var results = await RunAsync(
                    settings,
                    server,
                    output,
                    await settings.Selection.ListAsync(settings.Zfs, cancellationToken),
                    parsed.GetValue(dryRun),
                    cancellationToken
                );
                if (settings.Selection.IsSingle)
                    output.Result(results.Single(), ClientJson.Default.LocalRotationResult, text =>
                        Write(output, text, results.Single())
                    );
                else
                    output.Result(results, ClientJson.Default.ListLocalRotationResult, text =>
                        results.ForEach(result => Write(output, text, result))
                    );
                return ExitCodeOf(results);
            }
        );
        return verb;
    }

    public static async Task<List<LocalRotationResult>> RunAsync(
        ClientSettings settings,
        ApiClient server,
        Output output,
        IEnumerable<DatasetFacts> datasets,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        var rotation = new LocalRotationRun(settings, server, output);
        List<LocalRotationResult> results = [];
        foreach (var dataset in datasets)
            results.Add(await rotation.RunAsync(dataset.Name, dryRun, cancellationToken));
        return results;
    }

    public static void Write(Output output, TextWriter text, LocalRotationResult result)
    {
        if (result.DryRun)
            Table.Write(
                text,
                ["Snapshot", "Action", "Reason"],
                [.. result.Decisions.Select(item => new[] { item.Name, item.Action, item.Reason })]
            );
        foreach (var failed in result.Decisions.Where(item => item.Action == "failed"))
            output.Warn($"{failed.Name} could not be destroyed: {failed.Reason}");
        var whose = result.ServerManaged ? "the server's policy" : "this client's policy";
        text.WriteLine(
            $"{result.Dataset}: {(result.DryRun ? "would destroy" : "destroyed")} {result.Count("destroy")} of "
                + $"{result.Decisions.Count} snapshots and bookmarks, by {whose} ({result.RotationPolicy})."
        );
    }

    public static int ExitCodeOf(IEnumerable<LocalRotationResult> results) =>
        (int)(results.All(result => result.Success) ? ExitCode.Success : ExitCode.Zfs);
}
