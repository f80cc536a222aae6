namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Decides which part loses its slot while another one waits. First one of a client that holds more than its share,
/// then one that stands still. Of its client's parts it is always the one with the fewest bytes, so that of several
/// parts that share a slow line some arrive.
/// </summary>
internal static class PartEviction
{
    /// <param name="parts">All that hold a slot, quick or slow.</param>
    /// <param name="waiting">The client of each part that waits for one.</param>
    /// <param name="slots">Slots in all.</param>
    /// <param name="only">The client that must give something up; null if it may be any.</param>
    /// <returns>Null if all may keep their slots.</returns>
    public static PartSlot? Choose(
        IReadOnlyList<PartSlot> parts,
        IReadOnlyList<string> waiting,
        int slots,
        string? only = null
    )
    {
        var clients = parts
            .GroupBy(part => part.ClientId, StringComparer.Ordinal)
            .OrderByDescending(client => client.Count())
            .ToList();
        var share = Math.Max(
            1,
            slots / clients.Select(client => client.Key).Union(waiting, StringComparer.Ordinal).Count()
        );
        var candidates = clients.Where(client => only is null || client.Key == only).ToList();
        return candidates
            .Where(client => client.Count() > share && waiting.Any(other => other != client.Key))
            .Select(client => FindLeast(client, part => part.IsStalled) ?? FindLeast(client, part => part.IsSlow))
            .FirstOrDefault(part => part is not null)
            ?? candidates
                .Where(client => !IsOnlyOneBesideSeveral(client, clients))
                .Select(client => FindLeast(client, part => part.IsStalled))
                .FirstOrDefault(part => part is not null);
    }

    private static PartSlot? FindLeast(IEnumerable<PartSlot> parts, Func<PartSlot, bool> isMeant) =>
        parts.Where(part => !part.IsComplete && isMeant(part)).MinBy(part => part.Bytes);

    /// <summary>A client's only part is not the first to go while another client has several slow ones.</summary>
    private static bool IsOnlyOneBesideSeveral(
        IGrouping<string, PartSlot> client,
        List<IGrouping<string, PartSlot>> clients
    ) => client.Count() == 1 && clients.Exists(other => other.Count(part => part.IsSlow && !part.IsComplete) > 1);
}
