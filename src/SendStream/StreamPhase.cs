namespace ZfsSnapshotManager.SendStream;

/// <summary>The part of a stream's structure in which a parser stands, between two records.</summary>
public enum StreamPhase
{
    /// <summary>Before the first record.</summary>
    Start = 0,

    /// <summary>Inside a plain stream: after its BEGIN, before its END.</summary>
    Snapshot,

    /// <summary>After the BEGIN of a package, before the END that closes its header.</summary>
    PackageHeader,

    /// <summary>Inside a package, between snapshots.</summary>
    Package,

    /// <summary>Inside one snapshot's stream in a package.</summary>
    PackageSnapshot,

    /// <summary>After the last END.</summary>
    End,
}
