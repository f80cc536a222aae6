namespace ZfsSnapshotManager.ManyClients;

/// <summary>What one client does.</summary>
internal interface ILoad
{
    /// <param name="amount">MiB, or a number of backups.</param>
    void Prepare(int amount);

    Task RunAsync();
}
