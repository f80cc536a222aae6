using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Streams;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary>
/// <c>stream resume-token</c>: creates the token with which a truncated stream is resumed, or shows the
/// content of a token.
/// </summary>
internal static class StreamResumeTokenCommand
{
    public static CommandWithExamples Create()
    {
        var what = new Argument<string>("file|token")
        {
            Description = "Truncated stream (plain, gzip or zstd; - for standard input), or a token made by ZFS.",
        };
        var verb = new CommandWithExamples(
            "resume-token",
            "Create the token with which 'zfs send -t' resumes a truncated stream, or show the content of a token.",
            "zfs send -t $(zfs-restore stream resume-token cut.zfs) > rest.zfs",
            "zfs-restore stream resume-token $(zfs get -H -o value receive_resume_token tank/copy) --json"
        )
        {
            what,
        };
        verb.SetAction(
            (parsed, cancellationToken) => RunAsync(parsed, parsed.GetRequiredValue(what), cancellationToken)
        );
        return verb;
    }

    private static Task RunAsync(ParseResult parsed, string what, CancellationToken cancellationToken)
    {
        var output = Output.Of(parsed);
        if (!what.StartsWith("1-", StringComparison.Ordinal) || File.Exists(what))
            return MakeAsync(output, what, cancellationToken);
        Show(output, what);
        return Task.CompletedTask;
    }

    /// <summary>Parses a token given by the user.</summary>
    /// <exception cref="OperationException">It is not a token.</exception>
    public static ResumeToken Parse(string text)
    {
        try
        {
            return ResumeToken.Parse(text);
        }
        catch (FormatException e)
        {
            throw new OperationException(
                ExitCode.Damaged,
                $"This is not a resume token: {e.Message}",
                "Copy all of it, as 'zfs get -H -o value receive_resume_token' prints it.",
                e
            );
        }
    }

    private static void Show(Output output, string text)
    {
        var info = TokenInfo.From(Parse(text));
        output.Result(info, RestoreJson.Default.TokenInfo, writer =>
        {
            writer.WriteLine($"Snapshot:  {info.Snapshot}");
            writer.WriteLine($"GUID:      {info.Guid}");
            writer.WriteLine($"From GUID: {info.FromGuid?.ToString() ?? "none (full)"}");
            writer.WriteLine(
                $"Resumes:   object {info.Object} at {info.Offset}, after {info.Bytes} bytes "
                    + $"({ByteSize.Format((long)info.Bytes)})"
            );
            writer.WriteLine(
                $"Sent with: {(info.SendOptions.Count == 0 ? "no options" : string.Join(' ', info.SendOptions))}"
            );
        });
    }

    private static async Task MakeAsync(Output output, string file, CancellationToken cancellationToken)
    {
        await using var input = await StreamInput.OpenAsync(file, cancellationToken);
        var prefix = await input.FindValidPrefixAsync(cancellationToken).WaitAsync(cancellationToken);
        var info = TokenInfo.From(new StreamSplice(prefix.State).Token, prefix);
        output.Note($"{file}: the first {info.GoodBytes} bytes are valid. {prefix.Failure?.Message}");
        output.Result(info, RestoreJson.Default.TokenInfo, writer => writer.WriteLine(info.Token));
    }
}
