using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Streams;
using ZfsSnapshotManager.SendStream.Merging;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>stream merge</c>: merges a chain of streams into one.</summary>
internal static class StreamMergeCommand
{
    public static CommandWithExamples Create()
    {
        var files = new Argument<string[]>("file")
        {
            Description = "Streams to merge, oldest first (plain, gzip or zstd); - for standard input.",
            Arity = ArgumentArity.OneOrMore,
        };
        var verb = new CommandWithExamples(
            "merge",
            "Merge a full stream and the incrementals that follow it into one full stream, or incrementals into one. "
                + "Receiving the result gives the same dataset as receiving them in order.",
            "zfs-restore stream merge full.zfs.gz monday.zfs.gz tuesday.zfs.gz --output tuesday-full.zfs",
            "zfs-restore stream merge full.zfs monday.zfs | zfs receive -u tank/restored"
        )
        {
            files,
            StreamTarget.OutputOption,
            StreamTarget.ForceOption,
        };
        verb.SetAction(
            (parsed, cancellationToken) => RunAsync(parsed, parsed.GetRequiredValue(files), cancellationToken)
        );
        return verb;
    }

    private static async Task RunAsync(ParseResult parsed, string[] files, CancellationToken cancellationToken)
    {
        if (files.Count(file => file == "-") > 1)
            throw new OperationException(ExitCode.Usage, "Standard input can be only one of the streams.");
        var output = Output.Of(parsed);
        var target = StreamTarget.Get(parsed);
        List<StreamInput> inputs = [];
        try
        {
            foreach (var file in files)
                inputs.Add(await StreamInput.OpenAsync(file, cancellationToken));
            await target.WriteAsync(
                output,
                async destination =>
                {
                    await StreamMerge.MergeAsync(
                        [.. inputs.Select(input => input.Plain)],
                        destination,
                        cancellationToken
                    );
                    inputs.ForEach(input => input.EnsureEnded());
                },
                cancellationToken
            );
        }
        finally
        {
            foreach (var input in inputs)
                await input.DisposeAsync();
        }
    }
}
