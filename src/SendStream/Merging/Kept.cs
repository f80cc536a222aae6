namespace ZfsSnapshotManager.SendStream.Merging;

/// <summary>What a receiver keeps of an object that it has when another OBJECT of the same number arrives.</summary>
internal enum Kept
{
    /// <summary>Blocks and spill block.</summary>
    All = 0,

    /// <summary>The spill block only.</summary>
    AllButBlocks,

    /// <summary>Nothing: it is made anew.</summary>
    Nothing,
}
