using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Advanced;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>What is read of a backup whose receive was interrupted.</summary>
/// <param name="Token">Where it goes on.</param>
/// <param name="Runs">The parts that are needed; null where all has to be read.</param>
/// <param name="AlreadyBytes">Stored bytes that need not be read.</param>
internal sealed record BackupRest(ResumeToken Token, IReadOnlyList<PartRun>? Runs, long AlreadyBytes)
{
    /// <param name="manifest">The backup's; null where it is not to be had.</param>
    /// <param name="parts">Those of the manifest.</param>
    public static BackupRest Of(ResumeToken token, Manifest? manifest, IReadOnlyList<BackupPart>? parts)
    {
        if (manifest is null || StatesOf(manifest) is not { } states)
            return new BackupRest(token, null, 0);
        var ranges = ReceiveParts.Choose(states.Count, index => Read(states[index]), token);
        var runs = ranges.Select(range => new PartRun(
            range,
            range.First == 0 ? ParserState.Start : Read(states[range.First - 1]),
            range.Last == states.Count - 1 ? null : Read(states[range.Last])
        ));
        var needed = ranges.Sum(range => parts![range.Last].End - parts[range.First].Offset);
        return new BackupRest(token, [.. runs], manifest.StoredBytes - needed);
    }

    /// <summary>
    /// Null where the stored bytes were not cut between records, or ZFS does not send records in their order: then
    /// there is no telling where a record is.
    /// </summary>
    private static List<string>? StatesOf(Manifest manifest)
    {
        List<string> states = [];
        foreach (var part in manifest.Objects.SelectMany(stored => stored.Parts))
        {
            if (!StreamState.TryRead(part.State, out _))
                return null;
            states.Add(part.State!);
        }

        return Read(states[^1]) is { Phase: StreamPhase.End, IsDisordered: false } ? states : null;
    }

    private static ParserState Read(string state) =>
        StreamState.TryRead(state, out var read)
            ? read
            : throw new InvalidOperationException("The state was read before.");
}

/// <summary>Parts that follow each other, and where the stream stands around them.</summary>
/// <param name="After">Null behind the last part.</param>
internal sealed record PartRun(PartRange Range, ParserState Before, ParserState? After);
