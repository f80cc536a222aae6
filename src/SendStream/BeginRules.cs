using System.Text;
using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Records;

namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Checks a BEGIN record and reads what it says. Sources: OpenZFS module/zfs/dmu_recv.c (dmu_recv_begin,
/// dmu_recv_begin_check, resume_check, dmu_recv_stream), lib/libzfs/libzfs_sendrecv.c (zfs_receive_impl,
/// zfs_receive_package, send_prelim_records).
/// </summary>
internal static class BeginRules
{
    private const int SnapshotHeader = 1;
    private const int PackageHeader = 2;

    private const StreamFeatures KnownFeatures =
        StreamFeatures.Dedup
        | StreamFeatures.DedupProps
        | StreamFeatures.SaSpill
        | StreamFeatures.EmbedData
        | StreamFeatures.Lz4
        | StreamFeatures.LargeBlocks
        | StreamFeatures.Resuming
        | StreamFeatures.Redacted
        | StreamFeatures.Compressed
        | StreamFeatures.LargeDnode
        | StreamFeatures.Raw
        | StreamFeatures.Zstd
        | StreamFeatures.Holds
        | StreamFeatures.SwitchToLargeBlocks
        | StreamFeatures.LongName
        | StreamFeatures.LargeMicroZap;

    private static readonly UTF8Encoding StrictUtf8 = new(
        encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true
    );

    private static readonly long LastUnixSecond = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <summary>Whether the BEGIN opens a package.</summary>
    public static bool IsPackage(BeginRecord record) => record.HeaderType == PackageHeader;

    /// <summary>Returns the rule that the header breaks; null if none. The payload has not arrived yet.</summary>
    public static RecordFault? Judge(BeginRecord record, uint payloadLength, int maxPayload)
    {
        if (record.HeaderType is not (SnapshotHeader or PackageHeader))
            return Bad($"BEGIN has header type {record.HeaderType}; expected 1 (a snapshot's stream) or 2 (a package)");
        if ((record.Features & ~KnownFeatures) is not StreamFeatures.None and var unknown)
            return Unsupported(
                $"BEGIN announces unknown features (mask {(ulong)unknown:x}): the stream may come from a newer ZFS"
            );
        if (payloadLength > StreamLimits.BeginPayload || payloadLength % sizeof(uint) != 0)
            return Bad(
                $"BEGIN has a payload of {payloadLength} bytes; expected up to {StreamLimits.BeginPayload}, in words "
                    + "of 4"
            );
        if (payloadLength > maxPayload)
            return Unsupported($"BEGIN has a payload of {payloadLength} bytes; at most {maxPayload} are accepted here");
        if (record.CreationTime > (ulong)LastUnixSecond)
            return Bad($"BEGIN has creation time {record.CreationTime} (seconds since 1970), beyond the year 9999");
        if (ReadName(record.NameField) is null)
            return Bad("BEGIN has no name of 1 to 255 bytes of UTF-8 that a NUL ends");
        return IsPackage(record) ? JudgePackage(record) : JudgeSnapshot(record);
    }

    /// <summary>
    /// A package's BEGIN is made by libzfs, which leaves type and GUIDs 0 (send_prelim_records).
    /// </summary>
    private static RecordFault? JudgePackage(BeginRecord record) =>
        record.DatasetType != DatasetType.None || record.SnapshotGuid != 0 || record.BaseGuid != 0
            ? Bad(
                $"BEGIN of a package has type {(uint)record.DatasetType} and GUIDs {record.SnapshotGuid} and "
                    + $"{record.BaseGuid}; expected zeros"
            )
            : null;

    private static RecordFault? JudgeSnapshot(BeginRecord record)
    {
        if (record.DatasetType is not (DatasetType.Filesystem or DatasetType.Volume))
            return Bad($"BEGIN has dataset type {(uint)record.DatasetType}; expected 2 (filesystem) or 3 (volume)");
        if (!record.Features.HasFlag(StreamFeatures.Raw))
            return null;
        if (record.Features.HasFlag(StreamFeatures.EmbedData))
            return Bad("BEGIN announces embedded data in a raw stream");
        return (record.Flags & RecordRules.SpillBlockFlag) == 0
            ? Unsupported(
                "BEGIN of a raw stream lacks the spill block flag: no ZFS but the oldest with encryption receives it"
            )
            : null;
    }

    /// <summary>
    /// Returns the rule that the payload of a snapshot's BEGIN breaks; null if none. The header was checked.
    /// </summary>
    public static RecordFault? JudgePayload(BeginRecord record, NvList? payload)
    {
        if (record.Features.HasFlag(StreamFeatures.Resuming) && ResumePointOf(payload) is null)
            return Bad("BEGIN of a resumed stream lacks resume_object or resume_offset");
        return record.Features.HasFlag(StreamFeatures.Raw)
            ? JudgeKeys(record, payload?.GetList("crypt_keydata"))
            : null;
    }

    /// <summary>
    /// A raw incremental must name the set of initialization vectors of its base. Snapshots and bookmarks from before
    /// ZFS stored these sets have none (errata 4, and bookmarks of ZFS before 2.1.6, openzfs#14967); zfs send sends
    /// from them all the same, and zfs receive refuses what it sends, unless a parameter of the module switches this
    /// check off (zfs_disable_ivset_guid_check). A clone is not compared with its origin. Source:
    /// module/zfs/dsl_crypt.c, dsl_crypto_recv_raw_objset_check, from 0.8 to master; dmu_recv.c, drc_fromsnapobj.
    /// </summary>
    private static RecordFault? JudgeKeys(BeginRecord record, NvList? keys)
    {
        if (keys is null)
            return Bad("BEGIN of a raw stream lacks crypt_keydata");
        var continues = record.BaseGuid != 0 && (record.Flags & SnapshotStreamInfo.CloneFlag) == 0;
        return continues && (keys.GetUInt64("from_ivset_guid") ?? 0) == 0
            ? new(
                SendStreamError.RefusedOnReceive,
                "BEGIN of a raw incremental names no IV set of its base (from_ivset_guid), so zfs receive refuses it: "
                    + "the base is a snapshot or bookmark of a ZFS that did not store one. Send a full stream"
            )
            : null;
    }

    /// <summary>Reads a BEGIN that was checked.</summary>
    public static SnapshotStreamInfo Read(BeginRecord record, NvList? payload) =>
        new()
        {
            SnapshotGuid = record.SnapshotGuid,
            BaseGuid = record.BaseGuid,
            FullSnapshotName = ReadName(record.NameField)!,
            Type = record.DatasetType,
            Features = record.Features,
            Flags = record.Flags,
            CreationTime = DateTimeOffset.FromUnixTimeSeconds((long)record.CreationTime),
            ResumePoint = record.Features.HasFlag(StreamFeatures.Resuming) ? ResumePointOf(payload) : null,
        };

    private static ResumePoint? ResumePointOf(NvList? payload) =>
        payload?.GetUInt64(ResumePoint.ObjectPair) is { } number
        && payload.GetUInt64(ResumePoint.OffsetPair) is { } offset
            ? new ResumePoint(number, offset)
            : null;

    private static RecordFault Bad(string reason) => RecordFault.BadRecord(reason);

    private static RecordFault Unsupported(string reason) => new(SendStreamError.Unsupported, reason);

    private static string? ReadName(ReadOnlySpan<byte> field)
    {
        var length = field.IndexOf((byte)0);
        if (length <= 0)
            return null;
        try
        {
            return StrictUtf8.GetString(field[..length]);
        }
        catch (DecoderFallbackException)
        {
            return null; // not UTF-8: the caller reports it, with the position in the stream
        }
    }
}
