using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Advanced;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>The part of a backup that an interrupted receive still needs.</summary>
/// <param name="Token">Where the receive resumes.</param>
/// <param name="Runs">The parts that are needed; null if all must be read.</param>
/// <param name="AlreadyBytes">Stored bytes that need not be read.</param>
internal sealed record BackupRemainder(ResumeToken Token, IReadOnlyList<PartRun>? Runs, long AlreadyBytes)
{
    /// <param name="manifest">The backup's manifest; null if it is not available.</param>
    /// <param name="parts">The manifest's parts.</param>
    public static BackupRemainder Of(ResumeToken token, Manifest? manifest, IReadOnlyList<BackupPart>? parts)
    {
        if (manifest is null || StatesOf(manifest) is not { } states)
            return new BackupRemainder(token, null, 0);
        var ranges = ReceiveParts.Choose(states.Count, index => Read(states[index]), token);
        var runs = ranges.Select(range => new PartRun(
            range,
            range.First == 0 ? ParserState.Start : Read(states[range.First - 1]),
            range.Last == states.Count - 1 ? null : Read(states[range.Last])
        ));
        var needed = ranges.Sum(range => parts![range.Last].End - parts[range.First].Offset);
        return new BackupRemainder(token, [.. runs], manifest.StoredBytes - needed);
    }

    /// <summary>
    /// The states of the stream after each part. Null if the parts are not cut at record boundaries, or the records are
    /// in an order in which ZFS does not send them: then a record's position cannot be derived.
    /// </summary>
    private static List<string>? StatesOf(Manifest manifest)
    {
        List<string> states = [];
        foreach (var part in manifest.Objects.SelectMany(stored => stored.Parts))
        {
            if (!ParserState.TryParse(part.State, out _))
                return null;
            states.Add(part.State!);
        }

        return Read(states[^1]) is { Phase: StreamPhase.End, FollowsSendOrder: true } ? states : null;
    }

    private static ParserState Read(string state) =>
        ParserState.TryParse(state, out var read)
            ? read
            : throw new InvalidOperationException("The state was read before.");
}

/// <summary>Consecutive parts, and the states of the stream before and after them.</summary>
/// <param name="After">Null after the last part.</param>
internal sealed record PartRun(PartRange Range, ParserState Before, ParserState? After);
