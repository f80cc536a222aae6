using System.Diagnostics.CodeAnalysis;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// What one BEGIN record says about one snapshot's stream, or about a package. Immutable and thread-safe. Source:
/// OpenZFS include/sys/zfs_ioctl.h, struct drr_begin; module/zfs/dmu_send.c, create_begin_record.
/// </summary>
public sealed record SnapshotStreamInfo
{
    /// <summary>DRR_FLAG_CLONE.</summary>
    internal const uint CloneFlag = 1 << 0;

    /// <summary>GUID of the snapshot (<c>drr_toguid</c>); 0 in a package.</summary>
    public required ulong SnapshotGuid { get; init; }

    /// <summary>
    /// GUID of the snapshot or bookmark that the stream is incremental to (<c>drr_fromguid</c>); 0 in a full stream.
    /// </summary>
    public required ulong BaseGuid { get; init; }

    /// <summary>
    /// The name as the sender knew it (<c>drr_toname</c>): dataset@snapshot, 1 to 255 bytes of UTF-8. ZFS sends
    /// "@--head--" for a dataset that is no snapshot; a name without "@" is accepted as it is.
    /// </summary>
    public required string FullSnapshotName { get; init; }

    /// <summary>The kind of dataset that was sent; <see cref="DatasetType.None"/> in a package.</summary>
    public required DatasetType Type { get; init; }

    /// <summary>Features the stream uses.</summary>
    public required StreamFeatures Features { get; init; }

    /// <summary>DRR_FLAG_CLONE (1), DRR_FLAG_CI_DATA (2), DRR_FLAG_FREERECORDS (4), DRR_FLAG_SPILL_BLOCK (8).</summary>
    public required uint Flags { get; init; }

    /// <summary>When the snapshot was created: UTC, whole seconds; 1970-01-01 in a package.</summary>
    public required DateTimeOffset CreationTime { get; init; }

    /// <summary>
    /// Where a resumed stream continues. From the BEGIN payload, resume_object and resume_offset
    /// (module/zfs/dmu_send.c, setup_resume_points); null in other streams.
    /// </summary>
    public ResumePoint? ResumePoint { get; init; }

    /// <summary>The part of <see cref="FullSnapshotName"/> before its first "@".</summary>
    public string DatasetName => FullSnapshotName.Split('@', 2)[0];

    /// <summary>The part of <see cref="FullSnapshotName"/> after its first "@"; empty if it has none.</summary>
    public string SnapshotName => FullSnapshotName.Split('@', 2) is [_, var snapshot] ? snapshot : "";

    /// <summary>
    /// Whether it opens a package of several streams (<c>zfs send -R</c>, <c>-I</c>, <c>-p</c>) instead of one
    /// snapshot's stream.
    /// </summary>
    public bool IsPackage => Type == DatasetType.None;

    /// <summary>Whether the stream holds changes since <see cref="BaseGuid"/>.</summary>
    public bool IsIncremental => BaseGuid != 0;

    // Asked for every record: HasFlag would box wherever it is not optimised away.

    /// <summary>Whether blocks are sent as they are encrypted on disk.</summary>
    public bool IsRaw => (Features & StreamFeatures.Raw) != StreamFeatures.None;

    /// <summary>Whether it is the first snapshot of a clone, incremental to the clone's origin.</summary>
    public bool IsClone => (Flags & CloneFlag) != 0;

    /// <summary>
    /// Whether the stream continues an interrupted one; by itself it does not hold the whole snapshot.
    /// </summary>
    public bool IsResumed => (Features & StreamFeatures.Resuming) != StreamFeatures.None;

    /// <summary>Reads what <see cref="Format"/> wrote.</summary>
    /// <param name="text">The text.</param>
    /// <param name="begin">What the BEGIN said; null if the text is something else.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out SnapshotStreamInfo? begin)
    {
        try
        {
            begin = text is null ? null : ParserStateText.ReadBegin(text);
        }
        catch (FormatException)
        {
            begin = null;
        }

        return begin is not null;
    }

    /// <summary>
    /// What BEGIN said, as <see cref="ParserState.Format"/> puts it behind its semicolon: 7 fields with commas between
    /// them. <see cref="ResumePoint"/> is left out.
    /// </summary>
    public string Format() => ParserStateText.Write(this);
}
