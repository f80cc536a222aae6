using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// The clients that are in force: clients.json, read again when it changes; while it is broken, the last good one
/// stays.
/// </summary>
internal sealed partial class ClientRegistry(ServerSettings settings, TimeProvider time, ILogger<ClientRegistry> logger)
{
    private readonly Lock _lock = new();
    private IReadOnlyList<ClientEntry> _clients = [];
    private FileState? _seen;
    private bool _wasFresh;
    private byte[]? _content;
    private string? _fault;

    /// <summary>What is wrong with the file, as the log says it; null while it is good.</summary>
    public string? Fault
    {
        get
        {
            lock (_lock)
            {
                LookAgain();
                return _fault;
            }
        }
    }

    /// <summary>Reads the file; at start a broken one is an error, later it is not.</summary>
    /// <exception cref="OperationException">The file is broken.</exception>
    public int Load()
    {
        lock (_lock)
        {
            Look();
            _content = ClientsFile.ReadContent(settings.ClientsFile);
            _clients = _content is null ? [] : ClientsFile.Parse(settings.ClientsFile, _content);
            return _clients.Count;
        }
    }

    public IReadOnlyList<ClientEntry> Current()
    {
        lock (_lock)
        {
            LookAgain();
            return _clients;
        }
    }

    /// <summary>
    /// A file that was changed a moment before it was read is read once more: it may have been changed in the same
    /// moment again.
    /// </summary>
    private void LookAgain()
    {
        var (seen, wasFresh) = (_seen, _wasFresh);
        Look();
        if (_seen == seen && !wasFresh)
            return;
        try
        {
            var content = ClientsFile.ReadContent(settings.ClientsFile);
            if (_seen == seen && content.AsSpan().SequenceEqual(_content))
                return;
            _content = content;
            _clients = content is null ? [] : ClientsFile.Parse(settings.ClientsFile, content);
            _fault = null;
            LogReloaded(settings.ClientsFile, _clients.Count);
        }
        catch (OperationException e)
        {
            if (e.Message == _fault && _seen == seen)
                return;
            _fault = e.Message;
            LogBroken(e.Message);
        }
    }

    private void Look()
    {
        _seen = FileState.Of(settings.ClientsFile);
        _wasFresh = _seen?.IsFresh(time.GetUtcNow()) == true;
    }

    [LoggerMessage(LogLevel.Information, "Read {File} again: {Count} clients")]
    private partial void LogReloaded(string file, int count);

    [LoggerMessage(LogLevel.Error, "The clients stay as they were: {Fault}")]
    private partial void LogBroken(string fault);
}
