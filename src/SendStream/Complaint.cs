namespace ZfsSnapshotManager.SendStream;

/// <summary>What is wrong with a record, before it is known where it stands.</summary>
/// <param name="Fault">The kind of fault.</param>
/// <param name="Reason">What was expected and what was found, as a clause without a full stop.</param>
internal readonly record struct Complaint(StreamFault Fault, string Reason)
{
    /// <summary>A field outside its range.</summary>
    public static Complaint BadRecord(string reason) => new(StreamFault.BadRecord, reason);
}
