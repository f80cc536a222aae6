namespace ZfsSnapshotManager.Server.Backups;

/// <summary>Decides whether a clock has jumped. No I/O.</summary>
/// <param name="Seen">The latest time that was seen; null: none yet.</param>
/// <param name="TrustedFrom">After a jump: from when on the clock is trusted; null if it did not jump.</param>
internal readonly record struct ClockState(DateTimeOffset? Seen, DateTimeOffset? TrustedFrom)
{
    /// <summary>Servers are switched off over night, and clocks are corrected.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromDays(1);

    /// <summary>How long an administrator has to notice.</summary>
    private static readonly TimeSpan Quarantine = TimeSpan.FromDays(1);

    /// <summary>The state after a look at the clock.</summary>
    /// <param name="now">What the clock shows.</param>
    /// <param name="running">How long this process has run since the last look, or since its start.</param>
    public ClockState Look(DateTimeOffset now, TimeSpan running)
    {
        if (Seen is { } seen && now > seen + running + Tolerance)
            return new ClockState(now, now + Quarantine);
        // Set back, or so long ago that it is trusted by now.
        var isOver = TrustedFrom is { } trusted && (now >= trusted || now < trusted - Quarantine - Tolerance);
        return new ClockState(now, isOver ? null : TrustedFrom);
    }
}
