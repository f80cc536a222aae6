using ZfsSnapshotManager.SendStream.NvLists;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// The point from which an interrupted send continues; the default is the start of the stream. Immutable. Source:
/// OpenZFS module/zfs/dmu_recv.c, save_resume_state; module/zfs/dmu_send.c, setup_resume_points.
/// </summary>
/// <param name="Object">Number of the object; 0: the start of the stream.</param>
/// <param name="Offset">Offset of a block in it, in bytes.</param>
public readonly record struct ResumePoint(ulong Object, ulong Offset)
{
    /// <summary>Name of the object's number in the payload of a resumed stream's BEGIN.</summary>
    internal const string ObjectPair = "resume_object";

    /// <summary>Name of the offset in that payload.</summary>
    internal const string OffsetPair = "resume_offset";

    /// <summary>The start of the stream.</summary>
    public static ResumePoint Start => default;

    /// <summary>
    /// Position of the first record that a stream continued from here sends, except those it repeats.
    /// </summary>
    internal RecordPosition Position =>
        Offset == 0 ? new(Object, RecordStage.Object, 0) : new(Object, RecordStage.Data, Offset);

    /// <summary>The point after one more record.</summary>
    internal ResumePoint After(RecordHeader header) =>
        header.Type switch
        {
            RecordType.Object => new(header.AsObject().Object, 0),
            RecordType.Write => new(header.AsWrite().Object, header.AsWrite().Offset),
            RecordType.WriteEmbedded => new(header.AsWriteEmbedded().Object, header.AsWriteEmbedded().Offset),
            _ => this,
        };

    /// <summary>A BEGIN payload that continues from here; its pairs come first, as ZFS has them.</summary>
    /// <param name="payload">The payload so far; null if there was none.</param>
    internal NvList AddTo(NvList? payload) =>
        new(
            [
                NvPair.Of(ObjectPair, Object),
                NvPair.Of(OffsetPair, Offset),
                .. payload?.Without(ObjectPair).Without(OffsetPair).Pairs ?? [],
            ],
            payload?.Flags ?? NvList.UniqueNames
        );
}
