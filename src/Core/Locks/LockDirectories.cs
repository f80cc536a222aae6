namespace ZfsSnapshotManager.Core.Locks;

/// <summary>Where lock files may be.</summary>
public static class LockDirectories
{
    /// <summary>
    /// Of all users: /run/lock (Debian; elsewhere it is often root's) and /tmp, which every system has. TMPDIR is not
    /// asked: it need not be the same for all users.
    /// </summary>
    public static IReadOnlyList<string> Shared { get; } = ["/run/lock", "/tmp"];

    /// <summary>Of this user, where nothing else can be written to; of systemd and of a login.</summary>
    public static IReadOnlyList<string> Own { get; } =
    [
        .. new[] { "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR" }
            .Select(Environment.GetEnvironmentVariable)
            .OfType<string>()
            .Select(value => value.Split(':')[0])
            .Where(directory => Path.IsPathFullyQualified(directory)),
    ];
}
