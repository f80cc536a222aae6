namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>
/// The order in which ZFS sends records, by position. Positions alone tell which records were sent before: of a stream
/// in another order some would silently be lost, or sent twice.
/// </summary>
internal static class SendOrder
{
    /// <summary>
    /// Refuses a parser's current record if its position is not after that of every record before it.
    /// </summary>
    /// <exception cref="SendStreamException">It is not.</exception>
    public static void Demand(SendStreamParser parser)
    {
        if (!parser.FollowsSendOrder)
        {
            throw new SendStreamException(
                SendStreamError.UnexpectedRecord,
                parser.RecordIndex,
                parser.RecordOffset,
                $"{RecordHeader.NameOf(parser.Current.Type)} of object {parser.Position!.Value.Object} does not "
                    + "stand in the order in which ZFS sends"
            );
        }
    }
}
