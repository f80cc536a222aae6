using System.Diagnostics.CodeAnalysis;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Everything a <see cref="SendStreamParser"/> must know to continue at a record boundary, in another process if need
/// be: <see cref="Format"/> and <see cref="Parse"/> turn it into a line of text and back. Immutable and thread-safe. A
/// state that does not belong to the stream makes the next record fail.
/// </summary>
public sealed record ParserState
{
    /// <summary>The version of the text form that <see cref="Format"/> writes and <see cref="Parse"/> reads.</summary>
    public const int TextVersion = 1;

    /// <summary>The most characters of the text form; no longer text is read.</summary>
    public const int MaxTextLength = 1024;

    /// <summary>The state before the first record.</summary>
    public static ParserState Start { get; } =
        new()
        {
            Phase = StreamPhase.Start,
            StreamOffset = 0,
            RecordCount = 0,
            Checksum = default,
        };

    /// <summary>The part of the stream's structure in which the boundary lies.</summary>
    public required StreamPhase Phase { get; init; }

    /// <summary>Bytes before the boundary; 0 or more.</summary>
    public required long StreamOffset { get; init; }

    /// <summary>Records before the boundary; 0 or more.</summary>
    public required long RecordCount { get; init; }

    /// <summary>The running checksum at the boundary; 0 between the snapshots of a package.</summary>
    public required Fletcher4 Checksum { get; init; }

    /// <summary>The first BEGIN of the stream; null before it was read.</summary>
    public SnapshotStreamInfo? Begin { get; init; }

    /// <summary>
    /// The BEGIN of the snapshot's stream in which the boundary lies; required in the phases inside one.
    /// </summary>
    public SnapshotStreamInfo? Snapshot { get; init; }

    /// <summary>Object of the last WRITE record of that snapshot's stream; 0 before the first.</summary>
    public ulong LastWriteObject { get; init; }

    /// <summary>Offset of that WRITE in its object, in bytes.</summary>
    public ulong LastWriteOffset { get; init; }

    /// <summary>
    /// First object of the last OBJECT_RANGE record of that snapshot's stream; null before the first.
    /// </summary>
    public ulong? ObjectRange { get; init; }

    /// <summary>
    /// Position of the last record of that snapshot's stream in the order of sending; null before the first.
    /// </summary>
    public RecordPosition? Position { get; init; }

    /// <summary>
    /// The point from which <c>zfs send -t</c> would continue that snapshot: the last WRITE or WRITE_EMBEDDED, or the
    /// OBJECT if none followed it, as <c>zfs receive -s</c> notes it (module/zfs/dmu_recv.c, save_resume_state).
    /// </summary>
    public ResumePoint ResumePoint { get; init; }

    /// <summary>
    /// Bytes that <c>zfs receive -s</c> would have noted with <see cref="ResumePoint"/>; the header of BEGIN does not
    /// count.
    /// </summary>
    public long ResumeBytes { get; init; }

    /// <summary>
    /// Whether every record of that snapshot's stream stands behind all records that ZFS sends before it, each at a
    /// <see cref="Position"/> of its own. A stream in another order may be received, but not be continued.
    /// </summary>
    public bool FollowsSendOrder => !IsOutOfOrder;

    /// <summary>Whether the last record was a WRITE: the receiver notes it with the next record only.</summary>
    internal bool EndsWithWrite { get; init; }

    /// <summary>The opposite of <see cref="FollowsSendOrder"/>.</summary>
    internal bool IsOutOfOrder { get; init; }

    /// <summary>Reads a state that <see cref="Format"/> wrote, with or without what BEGIN said.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="FormatException">The text is no state, or of a version that is not known.</exception>
    public static ParserState Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return ParserStateText.Read(text);
    }

    /// <summary>Reads a state that <see cref="Format"/> wrote, with or without what BEGIN said.</summary>
    /// <param name="text">The text.</param>
    /// <param name="state">The state; null if the text is none, or of a version that is not known.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out ParserState? state)
    {
        try
        {
            state = text is null ? null : Parse(text);
        }
        catch (FormatException)
        {
            state = null;
        }

        return state is not null;
    }

    /// <summary>
    /// The state as one line of ASCII, up to <see cref="MaxTextLength"/> characters, without spaces: it fits into an
    /// HTTP header or a column. The form is a storage format: what one version of this library wrote, later ones read.
    /// </summary>
    /// <remarks>
    /// Version 1 has 17 fields with commas between them, and, once BEGIN was read, a semicolon and what it said. Later
    /// versions begin with <c>v</c>, their number and a colon, and are refused by a library that does not know them.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The stream is a package: its states have no text form.</exception>
    public string Format() => ParserStateText.Write(this);

    /// <summary>
    /// The state without <see cref="Begin"/> and <see cref="Snapshot"/>, for a caller that stores
    /// <see cref="SnapshotStreamInfo.Format"/> elsewhere; both joined by a semicolon are what <see cref="Format"/>
    /// gives.
    /// </summary>
    /// <exception cref="InvalidOperationException">The stream is a package: its states have no text form.</exception>
    public string FormatWithoutBegin()
    {
        ParserStateText.RefusePackage(this);
        return ParserStateText.Write(this with { Begin = null, Snapshot = null });
    }

    /// <summary>Writes what <see cref="Format"/> gives.</summary>
    /// <param name="destination">Where the text goes; <see cref="MaxTextLength"/> characters always suffice.</param>
    /// <param name="charsWritten">Characters written; 0 if it does not fit.</param>
    /// <returns>Whether it fits.</returns>
    /// <exception cref="InvalidOperationException">The stream is a package: its states have no text form.</exception>
    public bool TryFormat(Span<char> destination, out int charsWritten)
    {
        var text = Format();
        var fits = text.TryCopyTo(destination);
        charsWritten = fits ? text.Length : 0;
        return fits;
    }
}
