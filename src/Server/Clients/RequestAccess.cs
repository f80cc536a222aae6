namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// A request that runs with a client's key. It ends when the key is no longer accepted: streams and downloads take
/// days, and a client that was shut out must not finish them.
/// </summary>
internal sealed class RequestAccess(
    ClientRegistry registry,
    ClientPrincipal principal,
    CancellationToken cancellationToken
) : IDisposable
{
    private readonly CancellationTokenSource _end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

    public ClientPrincipal Principal => principal;

    /// <summary>Cancelled when the client disconnects, and when its key is no longer accepted.</summary>
    public CancellationToken Token => _end.Token;

    /// <summary>Whether the key is no longer accepted.</summary>
    public bool WasEnded { get; private set; }

    /// <summary>Whether the request was ended because its key is no longer accepted.</summary>
    public static bool WasEndedFor(HttpContext context) => context.Features.Get<RequestAccess>() is { WasEnded: true };

    public void End()
    {
        WasEnded = true;
        // On other threads: what the request has to clean up must not delay who reads clients.json.
        _ = _end.CancelAsync();
    }

    public void Dispose()
    {
        registry.EndAccess(this);
        _end.Dispose();
    }
}
