namespace ZfsSnapshotManager.Core;

/// <summary>Exit codes of the three programs; docs/exit-codes.md has the table for users.</summary>
public enum ExitCode
{
    Success = 0,

    /// <summary>A failure without a code of its own.</summary>
    Failure = 1,

    /// <summary>The command line is wrong.</summary>
    Usage = 2,

    /// <summary>A setting is missing or wrong.</summary>
    Configuration = 3,

    /// <summary>The server cannot be reached, or the connection broke.</summary>
    Unreachable = 4,

    /// <summary>The server refused the client's name or key.</summary>
    AccessDenied = 5,

    /// <summary>A <c>zfs</c> command failed.</summary>
    Zfs = 6,

    /// <summary>A stream or a stored backup is damaged.</summary>
    Damaged = 7,

    /// <summary>What was asked for does not exist.</summary>
    NotFound = 8,

    /// <summary>The present state forbids it: a dataset exists, a base is missing, another run is active.</summary>
    Conflict = 9,

    /// <summary>The client's quota, or the space of the server, a pool or a disk, is used up.</summary>
    NoSpace = 10,

    /// <summary>The server failed.</summary>
    ServerFailed = 11,

    /// <summary>The terminal or the ssh session was closed (128 + SIGHUP, as shells count).</summary>
    HungUp = 129,

    /// <summary>Ctrl-C (128 + SIGINT).</summary>
    Interrupted = 130,

    /// <summary>SIGTERM (128 + SIGTERM).</summary>
    Terminated = 143,
}
