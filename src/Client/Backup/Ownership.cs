namespace ZfsSnapshotManager.Client.Backup;

/// <summary>What this run may do with a pending snapshot.</summary>
internal enum Ownership
{
    /// <summary>Resume it, acknowledge it or remove it.</summary>
    Own,

    /// <summary>Nothing: it belongs to another server or client.</summary>
    Others,

    /// <summary>Nothing: a run on another host is sending it.</summary>
    InUse,

    /// <summary>Nothing but tell the user: its mark has no owner.</summary>
    Unclear,

    /// <summary>
    /// Nothing but tell the user: a run on another host made it, which may be about to send it, unless this machine
    /// takes over.
    /// </summary>
    Elsewhere,
}
