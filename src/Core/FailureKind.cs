namespace ZfsSnapshotManager.Core;

/// <summary>
/// What a failure is a failure of. It is decided where the failure is thrown, and decides what happens next: whether
/// the same is tried again, whether other datasets are still processed, and whether what was transferred is kept.
/// </summary>
public enum FailureKind
{
    /// <summary>
    /// A connection broke, or the other side is busy or starting: the same may succeed later without a change. It is
    /// retried, and what was transferred is kept.
    /// </summary>
    Transient,

    /// <summary>
    /// Of one dataset, snapshot or backup. It says nothing about others, so they are still processed.
    /// </summary>
    Dataset,

    /// <summary>A stream or a stored backup is damaged, or not the one that is expected. Others may be valid.</summary>
    Stream,

    /// <summary>
    /// The server fails, or refuses everything that this client may ask for until an administrator acts.
    /// </summary>
    Server,

    /// <summary>The command line, the settings, the key; or the user interrupts.</summary>
    User,

    /// <summary>Something that must not happen in any situation: a fault of these programs.</summary>
    Bug,
}
