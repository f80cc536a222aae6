namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>The fields of a FREEOBJECTS record to write: a run of object numbers is not in use. Immutable.</summary>
public readonly record struct FreeObjectsRecordData
{
    /// <summary>First number of the run.</summary>
    public required ulong FirstObject { get; init; }

    /// <summary>Length of the run, in object numbers.</summary>
    public required ulong ObjectCount { get; init; }

    /// <summary>GUID of the snapshot (<c>drr_toguid</c>).</summary>
    public required ulong SnapshotGuid { get; init; }
}
