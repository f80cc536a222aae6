namespace ZfsSnapshotManager.SendStream;

/// <summary>A rule that a record breaks, before its position in the stream is known.</summary>
/// <param name="Error">The kind of error.</param>
/// <param name="Reason">What was expected and what was found, as a clause without a full stop.</param>
internal readonly record struct RecordFault(SendStreamError Error, string Reason)
{
    /// <summary>A field outside its range.</summary>
    public static RecordFault BadRecord(string reason) => new(SendStreamError.BadRecord, reason);
}
