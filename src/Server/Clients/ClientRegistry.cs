using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>The clients that are in force: clients.json, read again when it changes; while it is broken, the last good one stays.</summary>
internal sealed partial class ClientRegistry(ServerSettings settings, ILogger<ClientRegistry> logger)
{
    private readonly Lock _lock = new();
    private IReadOnlyList<ClientEntry> _clients = [];
    private (DateTime Written, long Length)? _seen;

    /// <summary>Reads the file; at start a broken one is an error, later it is not.</summary>
    /// <exception cref="OperationException">The file is broken.</exception>
    public int Load()
    {
        lock (_lock)
        {
            _seen = Look();
            _clients = ClientsFile.Read(settings.ClientsFile);
            return _clients.Count;
        }
    }

    public IReadOnlyList<ClientEntry> Current()
    {
        lock (_lock)
        {
            var now = Look();
            if (now == _seen) return _clients;
            _seen = now;
            try
            {
                _clients = ClientsFile.Read(settings.ClientsFile);
                LogReloaded(settings.ClientsFile, _clients.Count);
            }
            catch (OperationException e)
            {
                LogBroken(e.Message);
            }

            return _clients;
        }
    }

    private (DateTime Written, long Length)? Look()
    {
        var file = new FileInfo(settings.ClientsFile);
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : null;
    }

    [LoggerMessage(LogLevel.Information, "Read {File} again: {Count} clients")]
    private partial void LogReloaded(string file, int count);

    [LoggerMessage(LogLevel.Error, "The clients stay as they were: {Fault}")]
    private partial void LogBroken(string fault);
}
