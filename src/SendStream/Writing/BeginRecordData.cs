namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>The fields of a BEGIN record that change when streams are resumed or merged. Immutable.</summary>
public readonly record struct BeginRecordData
{
    /// <summary>GUID of the snapshot or bookmark that the stream is incremental to; 0: a full stream.</summary>
    public required ulong BaseGuid { get; init; }

    /// <summary>Features the stream uses.</summary>
    public required StreamFeatures Features { get; init; }

    /// <summary>DRR_FLAG_CLONE (1), DRR_FLAG_CI_DATA (2), DRR_FLAG_FREERECORDS (4), DRR_FLAG_SPILL_BLOCK (8).</summary>
    public required uint Flags { get; init; }

    /// <summary>Bytes of the payload, a multiple of 8, up to 64 MiB.</summary>
    public required int PayloadLength { get; init; }
}
