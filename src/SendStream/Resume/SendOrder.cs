namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>
/// The order in which ZFS sends records, by position. By position alone it is told which were sent before: of a stream
/// in another order some would be lost, or sent twice, without a word.
/// </summary>
internal static class SendOrder
{
    /// <summary>Refuses the record where a parser stands if it does not stand behind all before it.</summary>
    /// <exception cref="SendStreamException">It does not.</exception>
    public static void Demand(SendStreamParser parser)
    {
        if (parser.IsDisordered)
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
