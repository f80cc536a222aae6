using ZfsSnapshotManager.SendStream.NvLists;
using ZfsSnapshotManager.SendStream.Writing;

namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>
/// Decides whether streams can be merged, as far as their BEGINs tell, and writes the BEGIN of the merged stream.
/// </summary>
internal static class MergePlan
{
    private const string KeyDataPair = "crypt_keydata";
    private const string KeyGuidPair = "DSL_CRYPTO_GUID";
    private const string BaseIvSetPair = "from_ivset_guid";
    private const string IvSetPair = "to_ivset_guid";

    /// <summary>Refuses streams that are no chain, or one that cannot be merged.</summary>
    /// <exception cref="StreamCombinationException">They cannot; the message names the stream, counted from 1, and the
    /// reason.</exception>
    public static void Check(IReadOnlyList<MergeLayer> layers)
    {
        foreach (var layer in layers)
            CheckAlone(layer);
        for (var i = 1; i < layers.Count; i++)
            CheckPair(layers[i - 1], layers[i]);
        Demand(
            layers[0].Begin.BaseGuid != layers[^1].Begin.SnapshotGuid,
            layers[^1],
            "ends at the snapshot that the first one is incremental to"
        );
    }

    /// <summary>
    /// Writes the merged stream's BEGIN: that of the last stream, with the base of the first.
    /// </summary>
    public static void WriteBegin(IReadOnlyList<MergeLayer> layers, SendStreamWriter writer)
    {
        var (first, last) = (layers[0], layers[^1]);
        var features = layers.Aggregate(StreamFeatures.None, (all, layer) => all | layer.Begin.Features);
        const uint Clone = SnapshotStreamInfo.CloneFlag;
        var flags = (last.Begin.Flags & ~Clone) | (first.Begin.Flags & Clone);
        var payload = Payload(first, last) is { } pairs ? BeginPayload.Pack(pairs) : [];
        var begin = new BeginRecordData
        {
            BaseGuid = first.Begin.BaseGuid,
            Features = features,
            Flags = flags,
            PayloadLength = payload.Length,
        };
        writer.WriteHeader(last.BeginRecord.SetBegin(begin).Header);
        writer.WritePayload(payload);
    }

    /// <summary>The keys of a raw stream name the set of initialization vectors that it is incremental to.</summary>
    private static NvList? Payload(MergeLayer first, MergeLayer last)
    {
        if (last.BeginPayload?.GetList(KeyDataPair) is not { } keys)
            return last.BeginPayload;
        var from = first.BeginPayload?.GetList(KeyDataPair)?.GetUInt64(BaseIvSetPair) ?? 0;
        return last.BeginPayload.With(NvPair.Of(KeyDataPair, keys.With(NvPair.Of(BaseIvSetPair, from))));
    }

    private static void CheckAlone(MergeLayer layer)
    {
        var begin = layer.Begin;
        Demand(
            !begin.IsPackage,
            layer,
            "is a package of several streams (zfs send -R, -I or -p); merge the streams of single snapshots"
        );
        Demand(!begin.IsResumed, layer, "is the rest of an interrupted stream; splice it to its first part first");
        Demand(
            (begin.Features & StreamFeatures.Redacted) == StreamFeatures.None,
            layer,
            "is redacted: blocks that it leaves out cannot be told from holes"
        );
        Demand(
            (begin.Features & StreamFeatures.Dedup) == StreamFeatures.None,
            layer,
            "is deduplicated (zfs send -D); rewrite it by zstream redup"
        );
        Demand(
            (begin.Flags & RecordRules.SpillBlockFlag) != 0,
            layer,
            "was sent by a ZFS before 0.8, which does not tell whether spill blocks are kept"
        );
    }

    private static void CheckPair(MergeLayer older, MergeLayer newer)
    {
        var (from, to) = (older.Begin, newer.Begin);
        Demand(to.IsIncremental, newer, "is a full stream; only the first may be full");
        Demand(
            to.BaseGuid == from.SnapshotGuid,
            newer,
            $"is incremental to the snapshot with GUID {to.BaseGuid}, but the stream before it is of "
                + $"{from.SnapshotGuid}"
        );
        Demand(!to.IsClone, newer, "is of a clone: it begins a dataset of its own and does not continue another one");
        Demand(to.Type == from.Type, newer, $"is of a {to.Type}, the stream before it of a {from.Type}");
        Demand(
            to.IsRaw == from.IsRaw,
            newer,
            $"is {(to.IsRaw ? "" : "not ")}raw, unlike the stream before it: zfs receive would refuse the chain as well"
        );
        Demand(
            (from.Features & ~to.Features & StreamFeatures.LargeBlocks) == StreamFeatures.None,
            newer,
            "has no large blocks, though the stream before it may have some (-L was left out): zfs receive would "
                + "refuse the chain as well"
        );
        if (to.IsRaw)
            CheckKeys(older, newer);
    }

    private static void CheckKeys(MergeLayer older, MergeLayer newer)
    {
        var (from, to) = (older.BeginPayload?.GetList(KeyDataPair), newer.BeginPayload?.GetList(KeyDataPair));
        Demand(
            from?.GetUInt64(KeyGuidPair) == to?.GetUInt64(KeyGuidPair),
            newer,
            "is encrypted with another master key than the stream before it"
        );
        Demand(
            to?.GetUInt64(BaseIvSetPair) == from?.GetUInt64(IvSetPair),
            newer,
            "continues another set of initialization vectors than the stream before it has (IV set GUID)"
        );
    }

    private static void Demand(bool holds, MergeLayer layer, string reason)
    {
        if (!holds)
            throw new StreamCombinationException(
                $"The streams cannot be merged: stream {layer.Index + 1} ({layer.Begin.FullSnapshotName}) {reason}."
            );
    }
}
