using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Streams;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary>
/// <c>stream resume-token</c>: the token that continues a stream that was cut off; or what a token says.
/// </summary>
internal static class StreamResumeTokenCommand
{
    public static Verb Create()
    {
        var what = new Argument<string>("file|token")
        {
            Description =
                "A stream that was cut off (plain, gzip or zstd; - for standard input), or a token that ZFS made.",
        };
        var verb = new Verb(
            "resume-token",
            "Make the token by which 'zfs send -t' continues a stream that was cut off, or show what a token says.",
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
        var output = new Output(parsed.GetValue(ProgramRunner.JsonOption));
        if (!what.StartsWith("1-", StringComparison.Ordinal) || File.Exists(what))
            return MakeAsync(output, what, cancellationToken);
        Show(output, what);
        return Task.CompletedTask;
    }

    /// <summary>Reads a token that the user gave.</summary>
    /// <exception cref="OperationException">It is none.</exception>
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
                $"This is no resume token: {e.Message}",
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
                $"Goes on:   object {info.Object} at {info.Offset}, after {info.Bytes} bytes "
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
        output.Note($"{file}: the first {info.GoodBytes} bytes are good. {prefix.Failure?.Message}");
        output.Result(info, RestoreJson.Default.TokenInfo, writer => writer.WriteLine(info.Token));
    }
}
