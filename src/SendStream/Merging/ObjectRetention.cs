namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>
/// What a receiver retains of an existing object when an OBJECT record with the same number arrives. Source: OpenZFS
/// module/zfs/dmu_recv.c, receive_handle_existing_object.
/// </summary>
internal enum ObjectRetention
{
    /// <summary>Blocks and spill block.</summary>
    Everything = 0,

    /// <summary>The spill block only.</summary>
    SpillOnly,

    /// <summary>Nothing: the object is created anew.</summary>
    Nothing,
}
