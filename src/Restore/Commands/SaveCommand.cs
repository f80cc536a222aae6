using System.CommandLine;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.Restore.Streams;

namespace ZfsSnapshotManager.Restore.Commands;

/// <summary><c>save</c>: the stored object as a file, verified.</summary>
internal static class SaveCommand
{
    public static CommandWithExamples Create()
    {
        var name = RestoreCommand.BackupArgument();
        var file = new Argument<string>("filename") { Description = "File to create." };
        var force = new Option<bool>("--force", "-f") { Description = "Replace the file if it exists." };
        var verb = new CommandWithExamples(
            "save",
            "Save a backup as a file, compressed as it is stored, without restoring it.",
            "zfs-restore save 1 backup.zfs.gz",
            "zfs-restore save tank/home@zsm-manual-2026-02-13_14:30:00Z backup.zfs.gz",
            "gunzip < backup.zfs.gz | zfs receive -u tank/restored"
        )
        {
            name,
            file,
            force,
            RestoreSession.VerboseOption,
            ProgramRunner.QuietOption,
        };
        verb.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(
                    parsed,
                    parsed.GetRequiredValue(name),
                    parsed.GetRequiredValue(file),
                    parsed.GetValue(force),
                    cancellationToken
                )
        );
        return verb;
    }

    private static async Task RunAsync(
        ParseResult parsed,
        string name,
        string filename,
        bool force,
        CancellationToken cancellationToken
    )
    {
        if (filename == "-")
            throw new OperationException(
                ExitCode.Usage,
                "A backup can only be saved to a file: from a pipe it would be used before it is verified.",
                "Give a file name (./- for a file called -)."
            );
        var path = Path.GetFullPath(filename);
        if (Directory.Exists(path))
            throw new OperationException(ExitCode.Conflict, $"{path} is a directory.", "Give a file name.");
        if (File.Exists(path) && !force)
            throw new OperationException(
                ExitCode.Conflict,
                $"{path} already exists.",
                "Choose another name, or use --force to replace it."
            );
        using var session = RestoreSession.Open(parsed);
        var list = await BackupList.FetchAsync(session, cancellationToken);
        var backup = list.Find(name);
        var missing = list.IsComplete(backup)
            ? null
            : $"A backup that {backup.SnapshotId} depends on is not on the server: it cannot be restored alone.";
        if (missing is not null)
            session.Output.Warn(missing);
        await SaveAsync(session, backup, path, force, cancellationToken);

        IReadOnlyList<SnapshotInfo> before = missing is null ? [.. list.ChainOf(backup).SkipLast(1)] : [];
        var result = new SaveResult
        {
            File = path,
            Backup = backup,
            Needs = missing is null ? [.. before.Select(b => b.SnapshotId)] : null,
        };
        session.Output.Result(result, RestoreJson.Default.SaveResult, text =>
        {
            text.WriteLine(
                $"Saved {backup.SnapshotId} to {path}: {ByteSize.Format(backup.SizeBytes)}, every record verified."
            );
            if (before.Count > 0)
                text.WriteLine(
                    "It is incremental. To restore it, first receive these backups, in this order: "
                        + $"{string.Join(", ", before.Select(b => b.SnapshotId))}."
                );
        });
    }

    /// <summary>The file takes its name only when it is complete and verified.</summary>
    private static async Task SaveAsync(
        RestoreSession session,
        SnapshotInfo backup,
        string path,
        bool force,
        CancellationToken cancellationToken
    )
    {
        var stored = await StoredBackup.OpenAsync(session, backup, null, cancellationToken);
        await AtomicFile.WriteAsync(path, replace: force, FileOptions.Asynchronous, file =>
            TransferProgress.RunAsync(backup.SnapshotId, backup.SizeBytes, session.Output, progress =>
                stored.ReadAsync((block, token) => file.WriteAsync(block, token), null, progress, cancellationToken)
            )
        );
    }
}
