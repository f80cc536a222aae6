using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Backups;

/// <summary>
/// Refuses to delete what has expired while this machine's clock may be wrong: no battery, a wrong time server, a
/// virtual machine that was resumed. S3 knows the time; without it a clock that is more than a day ahead of when this
/// server last looked is believed a day later.
/// </summary>
internal sealed class ClockCheck(CatalogueClock catalogue, IObjectStore store, TimeProvider time)
{
    /// <summary>As much as S3 itself accepts (RequestTimeTooSkewed).</summary>
    private static readonly TimeSpan MostAhead = TimeSpan.FromMinutes(15);

    private readonly Lock _lock = new();
    private long _looked = time.GetTimestamp();

    /// <exception cref="OperationException">The clock may be wrong, or S3 cannot be asked.</exception>
    public async Task DemandAsync(CancellationToken cancellationToken)
    {
        var trustedFrom = Look();
        if (await store.FindClockDifferenceAsync(cancellationToken) is not { } ahead)
        {
            if (trustedFrom is { } from)
                throw new OperationException(
                    ExitCode.Configuration,
                    "The clock is more than a day ahead of when this server last looked at it. In case it is wrong, "
                        + $"nothing that has expired is deleted before {Timestamps.ToMinute(from)}.",
                    "If the clock is right, for example after a holiday, nothing needs to be done."
                );
        }
        else if (ahead > MostAhead)
        {
            throw new OperationException(
                ExitCode.Configuration,
                $"The clock of this machine is {ahead.TotalMinutes:0} minutes ahead of S3's: nothing that has expired "
                    + "is deleted.",
                "Set the clock."
            );
        }
    }

    /// <summary>
    /// Looks at the clock and notes it: also at each start, so that a jump before the next look is noticed.
    /// </summary>
    /// <returns>From when on the clock is trusted; null: it is now.</returns>
    public DateTimeOffset? Look()
    {
        lock (_lock)
        {
            var running = time.GetElapsedTime(_looked);
            _looked = time.GetTimestamp();
            var (seen, trustedFrom) = catalogue.Find();
            var state = new ClockState(seen, trustedFrom).Look(time.GetUtcNow(), running);
            catalogue.Note(state.Seen!.Value, state.TrustedFrom);
            return state.TrustedFrom;
        }
    }
}
