using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// The current clients: clients.json, read again when it changes. While it is invalid, the last valid one stays in
/// force.
/// </summary>
internal sealed partial class ClientRegistry(ServerSettings settings, TimeProvider time, ILogger<ClientRegistry> logger)
{
    private readonly Lock _lock = new();
    private readonly HashSet<RequestAccess> _accesses = [];
    private IReadOnlyList<ClientEntry> _clients = [];
    private byte[]? _content;
    private string? _fault;

    /// <summary>The file's state before it was last read.</summary>
    private FileState? _state;

    /// <summary>Whether that state was so fresh that a later change could have the same one.</summary>
    private bool _mayHaveChangedUnseen;

    /// <summary>The fault of the file, as the log has it; null while it is valid.</summary>
    public string? Fault
    {
        get
        {
            lock (_lock)
            {
                ReloadIfChanged();
                return _fault;
            }
        }
    }

    /// <summary>Reads the file at start. An invalid file is an error now; later it is not.</summary>
    /// <returns>The number of clients.</returns>
    /// <exception cref="OperationException">The file is invalid.</exception>
    public int Load()
    {
        lock (_lock)
        {
            NoteState(FileState.Of(settings.ClientsFile));
            var content = ClientsFile.ReadContent(settings.ClientsFile);
            Use(content);
            return _clients.Count;
        }
    }

    public IReadOnlyList<ClientEntry> Current()
    {
        lock (_lock)
        {
            ReloadIfChanged();
            return _clients;
        }
    }

    /// <summary>Begins a request of a client, which ends when its key is no longer accepted.</summary>
    /// <exception cref="RequestException">It is not accepted any more.</exception>
    public RequestAccess BeginAccess(ClientPrincipal principal, CancellationToken cancellationToken)
    {
        var access = new RequestAccess(this, principal, cancellationToken);
        lock (_lock)
        {
            if (principal.IsAccepted(_clients, time.GetUtcNow()))
            {
                _accesses.Add(access);
                return access;
            }
        }

        access.Dispose();
        throw RequestException.Unauthorized();
    }

    public void EndAccess(RequestAccess access)
    {
        lock (_lock)
            _accesses.Remove(access);
    }

    /// <summary>Ends the requests whose keys are no longer accepted, or are expired old ones.</summary>
    public void EndRefusedAccesses()
    {
        lock (_lock)
        {
            if (_accesses.Count == 0)
                return;
            ReloadIfChanged();
            var now = time.GetUtcNow();
            foreach (var access in _accesses.Where(access => !access.Principal.IsAccepted(_clients, now)).ToList())
            {
                _accesses.Remove(access);
                access.End();
            }
        }
    }

    /// <summary>For what was received for days, before it becomes a backup.</summary>
    /// <exception cref="RequestException">The client is disabled or no longer listed.</exception>
    public void RequireEnabled(string clientId)
    {
        if (!Current().Any(client => client.ClientId == clientId && client.Enabled))
            throw RequestException.ShutOut();
    }

    /// <summary>
    /// Reads the file again if its state has changed. If the file was less than a second old when it was read, it is
    /// read again in any case: a second change could have the same timestamp.
    /// </summary>
    private void ReloadIfChanged()
    {
        var state = FileState.Of(settings.ClientsFile);
        var isChanged = state != _state;
        if (!isChanged && !_mayHaveChangedUnseen)
            return;
        NoteState(state);
        try
        {
            var content = ClientsFile.ReadContent(settings.ClientsFile);
            if (!isChanged && _fault is null && content.AsSpan().SequenceEqual(_content))
                return;
            if (content is null && _clients.Count > 0)
                throw ClientsFile.Removed(settings.ClientsFile);
            Use(content);
            _fault = null;
            LogReloaded(settings.ClientsFile, _clients.Count);
        }
        catch (OperationException e)
        {
            // What could not be read now may be readable a moment later, without a change.
            _mayHaveChangedUnseen |= e.InnerException is IOException or UnauthorizedAccessException || state is null;
            if (!isChanged && e.Message == _fault)
                return; // it was reported
            _fault = e.Message;
            LogBroken(e.Message);
        }
    }

    /// <summary>Before the content is read: a change in between is then found by the next call.</summary>
    private void NoteState(FileState? state)
    {
        _state = state;
        _mayHaveChangedUnseen = state?.IsFresh(time.GetUtcNow()) == true;
    }

    /// <exception cref="OperationException">The content is invalid.</exception>
    private void Use(byte[]? content)
    {
        _content = content;
        _clients = content is null ? [] : ClientsFile.Parse(settings.ClientsFile, content);
    }

    [LoggerMessage(LogLevel.Information, "Read {File} again: {Count} clients")]
    private partial void LogReloaded(string file, int count);

    [LoggerMessage(LogLevel.Error, "The clients stay as they were: {Fault}")]
    private partial void LogBroken(string fault);
}
