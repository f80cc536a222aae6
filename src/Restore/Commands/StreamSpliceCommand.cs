using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Streams;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>stream splice</c>: joins a truncated stream and its continuation.</summary>
internal static class StreamSpliceCommand
{
    public static CommandWithExamples Create()
    {
        var first = new Argument<string>("first") { Description = "Truncated stream: a file (plain, gzip or zstd)." };
        var rest = new Argument<string>("rest") { Description = "Output of 'zfs send -t'; - for standard input." };
        var verb = new CommandWithExamples(
            "splice",
            "Join a truncated stream and its continuation into the complete stream.",
            "zfs send -t $(zfs-restore stream resume-token cut.zfs) | zfs-restore stream splice cut.zfs - --output "
                + "whole.zfs"
        )
        {
            first,
            rest,
            StreamTarget.OutputOption,
            StreamTarget.ForceOption,
        };
        verb.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(parsed, parsed.GetRequiredValue(first), parsed.GetRequiredValue(rest), cancellationToken)
        );
        return verb;
    }

    private static async Task RunAsync(
        ParseResult parsed,
        string first,
        string rest,
        CancellationToken cancellationToken
    )
    {
        if (first == "-")
            throw new OperationException(
                ExitCode.Usage,
                "The first part is read twice, and so cannot be standard input.",
                "Give a file name."
            );
        var output = Output.Of(parsed);
        var target = StreamTarget.Get(parsed);
        var splice = await PrepareAsync(first, cancellationToken);
        await using var head = await StreamInput.OpenAsync(first, cancellationToken);
        await using var tail = await StreamInput.OpenAsync(rest, cancellationToken);
        await target.WriteAsync(
            output,
            async destination =>
            {
                await splice.WriteAsync(head.Plain, tail.Plain, destination, cancellationToken);
                tail.EnsureEnded();
            },
            cancellationToken
        );
    }

    private static async Task<StreamSplice> PrepareAsync(string first, CancellationToken cancellationToken)
    {
        await using var input = await StreamInput.OpenAsync(first, cancellationToken);
        return new StreamSplice((await input.FindValidPrefixAsync(cancellationToken)).State);
    }
}
