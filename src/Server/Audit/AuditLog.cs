using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>
/// Who did what: <c>DATA_DIR/audit.log</c>, one JSON object a line, only ever appended to. The server and commands
/// write at once, each under the lock, so that none writes into a file that another one has just put aside.
/// </summary>
internal sealed partial class AuditLog(ServerSettings settings, TimeProvider time, ILogger<AuditLog> logger)
{
    public const string FileName = "audit.log";

    /// <summary>Others hold the lock for as long as a sync takes; a request must not wait long for it.</summary>
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan ComplaintInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly string _path = Path.Combine(settings.DataDirectory, FileName);
    private long? _complained;

    /// <summary>
    /// Writes an event, safe on disk when it returns. What cannot be written is told in the server's log: no request
    /// fails for it.
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
                Complain(e.Event, failure.Message);
            }
        }
    }

    /// <summary>The file that the log had before, and those before it: 1 is the newest.</summary>
    public static string OldFile(string path, int number) => $"{path}.{number}";

    /// <summary>Taken by all who write, and by those who must see all files as they are at one moment.</summary>
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
            PutAside();
        DurableFile.AppendLine(_path, line);
    }

    private void PutAside()
    {
        // Of a time when more were kept.
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

    private void Complain(string name, string reason)
    {
        if (_complained is { } before && time.GetElapsedTime(before) < ComplaintInterval)
            return;
        _complained = time.GetTimestamp();
        LogNotWritten(name, reason);
    }

    [LoggerMessage(
        LogLevel.Error,
        "The audit log cannot be written; {Event} is not in it, nor what follows until this is mended: {Reason}"
    )]
    private partial void LogNotWritten(string @event, string reason);
}
