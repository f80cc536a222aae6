namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>The fields of a FREE record to write: a byte range of an object becomes a hole. Immutable.</summary>
public readonly record struct FreeRecordData
{
    /// <summary>Number of the object.</summary>
    public required ulong Object { get; init; }

    /// <summary>Where the range begins, in bytes.</summary>
    public required ulong Offset { get; init; }

    /// <summary>Bytes of the range; <see cref="ulong.MaxValue"/>: to the end of the object.</summary>
    public required ulong Length { get; init; }

    /// <summary>GUID of the snapshot (<c>drr_toguid</c>).</summary>
    public required ulong SnapshotGuid { get; init; }
}
