namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// This run of the server: from one start to its end. The store's mark names the run that uses the store, an upload
/// the run that took it over last, and a job the one that does it.
/// </summary>
internal sealed class ServerRun
{
    /// <summary>Random.</summary>
    public string Id { get; } = Guid.NewGuid().ToString("N");
}
