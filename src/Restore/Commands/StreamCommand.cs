using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Restore.Streams;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>stream</c>: works on send streams in files and pipes.</summary>
internal static class StreamCommand
{
    public static CommandWithExamples Create() =>
        new("stream", "Inspect, resume and merge send streams in files and pipes. Needs neither a server nor ZFS.")
        {
            Create(
                "info",
                "Verify a stream and describe it.",
                Describe,
                "zfs-restore stream info backup.zfs.gz",
                "zfs send tank/data@monday | zfs-restore stream info -"
            ),
            Create(
                "verify",
                "Check that a stream is complete and valid. The exit code is 0 only if it is.",
                (text, stream) =>
                    text.WriteLine($"ok: {stream.Records.Values.Sum()} records, {stream.StreamBytes} bytes"),
                "zfs-restore stream verify backup.zfs.gz",
                "gunzip < backup.zfs.gz | zfs-restore stream verify -"
            ),
            StreamMergeCommand.Create(),
            StreamResumeTokenCommand.Create(),
            StreamSpliceCommand.Create(),
            StreamResumeReceiveCommand.Create(),
        };

    private static CommandWithExamples Create(
        string name,
        string description,
        Action<TextWriter, StreamReport> write,
        params string[] examples
    )
    {
        var file = new Argument<string>("file")
        {
            Description = "Stream file (plain, gzip or zstd); - for standard input.",
        };
        var verb = new CommandWithExamples(name, description, examples) { file };
        verb.SetAction(
            (parsed, cancellationToken) => RunAsync(parsed, parsed.GetRequiredValue(file), write, cancellationToken)
        );
        return verb;
    }

    private static async Task RunAsync(
        ParseResult parsed,
        string file,
        Action<TextWriter, StreamReport> write,
        CancellationToken cancellationToken
    )
    {
        var output = Output.Of(parsed);

        // Reading a pipe blocks its thread, so it gets one of its own: Ctrl-C must work while the pipe is silent.
        var info = await Task.Run(() => VerifyAsync(file, cancellationToken), cancellationToken)
            .WaitAsync(cancellationToken);
        output.Result(info, RestoreJson.Default.StreamReport, text => write(text, info));
    }

    private static async Task<StreamReport> VerifyAsync(string file, CancellationToken cancellationToken)
    {
        await using var source = new BlockingSource(StreamInput.OpenFile(file));
        using var stored = new StoredBytesReader(source, digest: false);
        var compression = CompressionFormats.Detect(
            (await stored.PeekAsync(CompressionFormats.DetectionSize, cancellationToken)).Span
        );
        var facts = await StoredStreamDecoder.DecodeAsync(stored, compression, null, null, cancellationToken);
        return StreamReport.From(facts, compression, stored.BytesRead);
    }

    private static void Describe(TextWriter text, StreamReport stream)
    {
        text.WriteLine($"Kind:        {stream.Kind}");
        text.WriteLine($"Compression: {stream.Compression}");
        text.WriteLine(
            $"Size:        {stream.StreamBytes} bytes ({ByteSize.Format(stream.StreamBytes)}), stored in "
                + $"{stream.StoredBytes}"
        );
        text.WriteLine($"Records:     {string.Join(", ", stream.Records.Select(r => $"{r.Key} {r.Value}"))}");
        text.WriteLine($"Checksum:    {stream.EndChecksum}");
        foreach (var snapshot in stream.Snapshots)
        {
            text.WriteLine();
            text.WriteLine($"Snapshot:    {snapshot.Name}");
            var raw = snapshot.Raw ? ", raw" : "";
            var resumed = snapshot.Resumed ? ", the continuation of an interrupted send" : "";
            text.WriteLine($"  Type:      {snapshot.Type}{raw}{resumed}");
            text.WriteLine($"  GUID:      {snapshot.Guid}");
            text.WriteLine($"  From GUID: {snapshot.FromGuid?.ToString() ?? "none (full)"}");
            text.WriteLine($"  Created:   {Timestamps.ToSecond(snapshot.CreatedAt)}");
            text.WriteLine(
                $"  Features:  {(snapshot.Features.Count == 0 ? "none" : string.Join(", ", snapshot.Features))}"
            );
        }
    }
}
