namespace ZfsSnapshotManager.SendStream;

/// <summary>An event that <see cref="SendStreamParser.Read"/> reports.</summary>
public enum ParserEvent
{
    /// <summary>All input was consumed and no further event is complete.</summary>
    NeedMoreInput,

    /// <summary>
    /// A record's header was read and verified; <see cref="SendStreamParser.Current"/> is that record.
    /// </summary>
    Record,

    /// <summary>A slice of the current record's payload.</summary>
    Payload,

    /// <summary>
    /// The current record is complete, with its payload if it has one: the parser stands at a record boundary.
    /// </summary>
    EndOfRecord,

    /// <summary>The last END record was read. Nothing may follow.</summary>
    EndOfStream,
}
