namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>What became of an upload that no request was working on.</summary>
internal enum RecoveredUpload
{
    /// <summary>It is not committed; its stream, or the rest of its parts, may be sent.</summary>
    Open,

    /// <summary>Its commit was finished now.</summary>
    Finished,

    /// <summary>It was committed before.</summary>
    Committed,

    /// <summary>It was dropped, now or before.</summary>
    Dropped,

    /// <summary>What is stored belongs to another upload, or cannot be read or removed now.</summary>
    Unclear,
}
