namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// How far the upload of a snapshot is and whose it is: the value of the user property
/// <see cref="UploadMark.Property"/>. Earlier versions wrote the state alone.
/// </summary>
/// <param name="State">How far it is.</param>
/// <param name="Owner">The client and server that it is for; null in a mark of an earlier version.</param>
/// <param name="Run">The run that made a pending mark; null in other marks.</param>
public sealed record UploadMark(UploadState State, MarkOwner? Owner, RunId? Run)
{
    /// <summary>
    /// The user property of snapshots. It counts only if it was set on the snapshot itself: snapshots inherit
    /// properties of their dataset, and replicas receive those of their source.
    /// </summary>
    public const string Property = "zfs-snapshot-manager:upload";

    /// <summary>The tag of holds of earlier versions.</summary>
    public const string OldHoldTag = "zsm-upload";

    private const string PendingText = "pending";
    private const string CommittedText = "committed";

    public static UploadMark Pending(MarkOwner owner, RunId run) => new(UploadState.Pending, owner, run);

    public static UploadMark Committed(MarkOwner owner) => new(UploadState.Committed, owner, null);

    public bool IsPending => State == UploadState.Pending;

    /// <summary>The tag of the hold that belongs to the mark.</summary>
    public string HoldTag => Owner?.HoldTag ?? OldHoldTag;

    /// <returns>Null if it is not a mark of this program.</returns>
    public static UploadMark? TryParse(string text)
    {
        var (state, rest) = text.Split(':', 2) is [var first, var second] ? (first, second) : (text, null);
        return state switch
        {
            PendingText when rest is null => new UploadMark(UploadState.Pending, null, null),
            CommittedText when rest is null => new UploadMark(UploadState.Committed, null, null),
            PendingText => TryParsePending(rest!),
            CommittedText when MarkOwner.TryParse(rest!, out var owner) => Committed(owner),
            _ => null,
        };
    }

    /// <summary>The property's value.</summary>
    public override string ToString() =>
        (State, Owner) switch
        {
            (UploadState.Pending, null) => PendingText,
            (UploadState.Pending, _) => $"{PendingText}:{Owner}/{Run}",
            (_, null) => CommittedText,
            _ => $"{CommittedText}:{Owner}",
        };

    private static UploadMark? TryParsePending(string text)
    {
        var end = text.LastIndexOf('/');
        return
            end > 0 && MarkOwner.TryParse(text[..end], out var owner) && RunId.TryParse(text[(end + 1)..], out var run)
            ? Pending(owner, run)
            : null;
    }
}

public enum UploadState
{
    /// <summary>Made for a backup of which it is not known that the server has it.</summary>
    Pending,

    /// <summary>The server has committed it.</summary>
    Committed,
}
