using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Advanced;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>The part of a backup that an interrupted receive still needs.</summary>
/// <param name="Token">Where the receive resumes.</param>
/// <param name="Runs">The groups of parts that are needed; null if all must be read.</param>
/// <param name="AlreadyBytes">Stored bytes that need not be read.</param>
internal sealed record BackupRemainder(ResumeToken Token, IReadOnlyList<GroupRun>? Runs, long AlreadyBytes)
{
    /// <param name="token">Where the receive resumes.</param>
    /// <param name="parts">The backup's parts; null if its manifest is not available.</param>
    public static BackupRemainder Of(ResumeToken token, PartTable? parts)
    {
        if (parts is not { HasStates: true })
            return new BackupRemainder(token, null, 0);
        var ranges = ReceiveParts.Choose(parts.GroupCount, parts.StateAfterGroup, token);
        var runs = ranges.Select(range => new GroupRun(
            range,
            range.First == 0 ? ParserState.Start : parts.StateAfterGroup(range.First - 1),
            range.Last == parts.GroupCount - 1 ? null : parts.StateAfterGroup(range.Last)
        ));
        var needed = ranges.Sum(range => parts.OffsetOfGroup(range.Last + 1) - parts.OffsetOfGroup(range.First));
        return new BackupRemainder(token, [.. runs], parts.Bytes - needed);
    }
}
