namespace ZfsSnapshotManager.Server.Storage;

/// <summary>The store failed, not the one who sends or reads.</summary>
internal sealed class StorageException(string message, Exception innerException) : Exception(message, innerException)
{
    private const int NoSpace = 28; // ENOSPC
    private const int QuotaExceeded = 122; // EDQUOT

    /// <summary>.NET hands the errno of a Unix I/O error on as HResult.</summary>
    public bool IsFull => InnerException?.HResult is NoSpace or QuotaExceeded;
}
