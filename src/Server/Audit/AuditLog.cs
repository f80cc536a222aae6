using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>
/// The audit log: <c>DATA_DIR/audit.log</c>, one JSON object a line, append only. The server and commands write at the
/// same time, each under the lock, so that none writes to a file that another one has just rotated.
/// </summary>
internal sealed partial class AuditLog(ServerSettings settings, TimeProvider time, ILogger<AuditLog> logger)
{
    public const string FileName = "audit.log";

    /// <summary>Others hold the lock for as long as a sync takes; a request must not wait longer.</summary>
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan ReportInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly string _path = Path.Combine(settings.DataDirectory, FileName);
    private long? _reported;

    /// <summary>
    /// Writes an event, which is on disk when this returns. A failure is reported in the server's log; no request fails
    /// because of it.
    /// </summary>
    public void Write(AuditEvent e)
    {
        var now = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        byte[] line =
        [
            .. JsonSerializer.SerializeToUtf8Bytes(e with { Time = now }, AuditJson.Default.AuditEvent),
            (byte)'\n',
        ];
        lock (_lock)
        {
            try
            {
                Append(line);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or OperationException)
            {
                Report(e.Event, failure.Message);
            }
        }
    }

    /// <summary>The old files of the log: 1 is the newest.</summary>
    public static string OldFile(string path, int number) => $"{path}.{number}";

    /// <summary>Acquires the lock for writers, and for readers that must see all files as of one moment.</summary>
    public static FileStream AcquireLock(string path) => LockFile.Wait(path + ".lock", LockPatience);

    private void Append(byte[] line)
    {
        DurableFile.CreateDirectory(settings.DataDirectory);
        using var only = AcquireLock(_path);
        if (
            File.Exists(_path)
            && new FileInfo(_path).Length is > 0 and var length
            && length + line.Length > settings.AuditMaxBytes
        )
            RotateFiles();
        DurableFile.AppendLine(_path, line);
    }

    private void RotateFiles()
    {
        // Files from a time when more were kept.
        for (var number = settings.AuditFiles + 1; File.Exists(OldFile(_path, number)); number++)
            File.Delete(OldFile(_path, number));
        for (var number = settings.AuditFiles; number > 0; number--)
        {
            var from = number == 1 ? _path : OldFile(_path, number - 1);
            if (File.Exists(from))
                File.Move(from, OldFile(_path, number), overwrite: true);
        }

        DurableFile.SyncDirectory(settings.DataDirectory);
    }

    private void Report(string name, string reason)
    {
        if (_reported is { } before && time.GetElapsedTime(before) < ReportInterval)
            return;
        _reported = time.GetTimestamp();
        LogNotWritten(name, reason);
    }

    [LoggerMessage(
        LogLevel.Error,
        "The audit log cannot be written; {Event} and later events are missing until this is fixed: {Reason}"
    )]
    private partial void LogNotWritten(string @event, string reason);
}
