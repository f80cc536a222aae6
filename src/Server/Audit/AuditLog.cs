using System.Text.Json;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>
/// The audit log, one JSON object a line: <c>DATA_DIR/audit.log</c>, and <c>audit-failures.log</c> for what anyone can
/// cause without a key. The server and commands write at the same time, each under the lock.
/// </summary>
internal sealed partial class AuditLog
{
    public const string FileName = "audit.log";
    public const string FailuresName = "audit-failures.log";

    /// <summary>How many times as many files as AUDIT_FILES events may take that are not old enough.</summary>
    private const int MostFactor = 10;

    private static readonly TimeSpan ReportInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly string _directory;
    private readonly AuditFile _events;
    private readonly AuditFile _failures;
    private readonly TimeProvider _time;
    private readonly ILogger<AuditLog> _logger;
    private long? _reported;

    public AuditLog(ServerSettings settings, TimeProvider time, ILogger<AuditLog> logger)
    {
        (_time, _logger, _directory) = (time, logger, settings.DataDirectory);
        var limits = new AuditLimits(
            settings.AuditMaxBytes,
            settings.AuditFiles,
            settings.AuditAge,
            settings.AuditFiles * MostFactor
        );
        _events = new AuditFile(PathIn(settings, FileName), limits, time);
        // Their number is bounded, not their age: whoever has no key decides how many there are.
        _failures = new AuditFile(PathIn(settings, FailuresName), limits with { MostFiles = limits.MaxFiles }, time);
    }

    public static string PathIn(ServerSettings settings, string name) => Path.Combine(settings.DataDirectory, name);

    /// <summary>Writes an event that no transaction contains. It is on disk when this returns.</summary>
    public void Write(ServerEvent e) => Try(_events, () => _events.Append(Lines([e])));

    public void WriteFailures(IReadOnlyList<ServerEvent> failures)
    {
        if (failures.Count > 0)
            Try(_failures, () => _failures.Append(Lines(failures)));
    }

    /// <summary>Runs under the lock, so that no event is written twice by two processes.</summary>
    /// <param name="deliver">Gets what writes events that may have been written before a crash.</param>
    public void Exclusively(Action<Action<IReadOnlyList<ServerEvent>>> deliver) =>
        Try(_events, () => deliver(AppendNew));

    private void AppendNew(IReadOnlyList<ServerEvent> events)
    {
        // In order: if the first is not there, none is.
        var tail = _events.ReadTail();
        if (tail.Contains(events[0].Id!, StringComparison.Ordinal))
        {
            var written = tail.Split('\n')
                .Select(ServerEvent.Parse)
                .Select(e => e?.Id)
                .ToHashSet(StringComparer.Ordinal);
            events = [.. events.Where(e => !written.Contains(e.Id))];
        }

        if (events.Count > 0)
            _events.Append(Lines(events));
    }

    private static byte[] Lines(IEnumerable<ServerEvent> events) =>
        [
            .. events.SelectMany(e =>
                (byte[])[.. JsonSerializer.SerializeToUtf8Bytes(e, EventJson.Default.ServerEvent), (byte)'\n']
            ),
        ];

    /// <summary>A failure is reported in the server's log; nothing else fails because of it.</summary>
    private void Try(AuditFile file, Action action)
    {
        lock (_lock)
        {
            try
            {
                DurableFile.CreateDirectory(_directory);
                using var only = file.Lock();
                action();
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                Report(e.Message);
            }
        }
    }

    private void Report(string reason)
    {
        if (_reported is { } before && _time.GetElapsedTime(before) < ReportInterval)
            return;
        _reported = _time.GetTimestamp();
        LogNotWritten(reason);
    }

    [LoggerMessage(
        LogLevel.Error,
        "The audit log cannot be written; events are missing in it until this is fixed: {Reason}"
    )]
    private partial void LogNotWritten(string reason);
}
