using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Streams;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary>
/// <c>stream resume-receive</c>: writes the part of a stored stream that an interrupted
/// <c>zfs receive -s</c> still needs.
/// </summary>
internal static class StreamResumeReceiveCommand
{
    public static CommandWithExamples Create()
    {
        var token = new Argument<string>("token")
        {
            Description = "Value of the dataset's property receive_resume_token.",
        };
        var file = new Argument<string>("file")
        {
            Description = "Stream that was being received (plain, gzip or zstd); - for standard input.",
        };
        var verb = new CommandWithExamples(
            "resume-receive",
            "Write the part of a stored stream that an interrupted 'zfs receive -s' still needs.",
            "zfs-restore stream resume-receive $(zfs get -H -o value receive_resume_token tank/copy) backup.zfs.gz | "
                + "zfs receive -s tank/copy"
        )
        {
            token,
            file,
            StreamTarget.OutputOption,
            StreamTarget.ForceOption,
        };
        verb.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(parsed, parsed.GetRequiredValue(token), parsed.GetRequiredValue(file), cancellationToken)
        );
        return verb;
    }

    private static async Task RunAsync(
        ParseResult parsed,
        string text,
        string file,
        CancellationToken cancellationToken
    )
    {
        var output = Output.Of(parsed);
        var target = StreamTarget.Get(parsed);
        var resume = new ReceiveResume(StreamResumeTokenCommand.Parse(text));
        await using var input = await StreamInput.OpenAsync(file, cancellationToken);
        await target.WriteAsync(
            output,
            async destination =>
            {
                await resume.WriteAsync(input.Plain, destination, cancellationToken);
                input.EnsureEnded();
            },
            cancellationToken
        );
    }
}
