namespace ZfsSnapshotManager.Server.Storage;

/// <summary>
/// The backups of which this catalogue has begun objects. Other programs use the same buckets: clean-up touches only
/// what is noted here.
/// </summary>
internal interface IBegunObjects
{
    /// <summary>Notes that an object is about to be begun; survives a crash once the call has returned.</summary>
    /// <param name="key">The object's, without the store's prefix.</param>
    void Note(string key);

    /// <summary>Whether an object with the key was ever begun, and may still be incomplete.</summary>
    bool Contains(string key);

    /// <summary>Forgets what was noted before a moment, except for what is still incomplete.</summary>
    void Forget(DateTimeOffset notedBefore, IReadOnlySet<string> incomplete);
}
