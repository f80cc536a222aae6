namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// A stream is not a complete and valid ZFS send stream. The message states what was expected, what was found, and
/// where.
/// </summary>
public sealed class SendStreamException : Exception
{
    /// <summary>Creates the exception; the position is appended to the message.</summary>
    /// <param name="error">The kind of error.</param>
    /// <param name="recordIndex">Number of the record, counted from 0.</param>
    /// <param name="streamOffset">Bytes from the start of the stream.</param>
    /// <param name="reason">What was expected and what was found, as a clause without a full stop.</param>
    /// <param name="innerException">The cause, if any.</param>
    public SendStreamException(
        SendStreamError error,
        long recordIndex,
        long streamOffset,
        string reason,
        Exception? innerException = null
    )
        : base($"{reason} (record {recordIndex}, counted from 0, at stream byte {streamOffset}).", innerException)
    {
        Error = error;
        RecordIndex = recordIndex;
        StreamOffset = streamOffset;
    }

    /// <summary>The kind of error.</summary>
    public SendStreamError Error { get; }

    /// <summary>
    /// The faulty record, counted from 0; for a stream that ends early, the one that is missing or incomplete.
    /// </summary>
    public long RecordIndex { get; }

    /// <summary>
    /// Bytes from the start of the stream: where the faulty record begins; where the input ended, if it ended early;
    /// where the surplus begins, if data follow the end.
    /// </summary>
    public long StreamOffset { get; }
}
