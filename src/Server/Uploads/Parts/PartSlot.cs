using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>The slot of a part that is being received. It knows how quickly the part arrives.</summary>
internal sealed class PartSlot : IDisposable
{
    private readonly Action<PartSlot> _release;
    private readonly ArrivalRate _slow;
    private readonly ArrivalRate _stalled;
    private readonly CancellationTokenSource _withdrawn = new();
    private FairSlots.Slot _slot;
    private long _bytes;
    private volatile bool _isComplete;

    /// <param name="slot">One of those for quick parts.</param>
    /// <param name="release">Called once it is no longer needed.</param>
    public PartSlot(string clientId, FairSlots.Slot slot, TimeProvider time, Action<PartSlot> release)
    {
        (ClientId, _slot, _release) = (clientId, slot, release);
        _slow = new ArrivalRate(Limits.SlowPartBytesPerSecond, Limits.SlowPartAfter, time);
        _stalled = new ArrivalRate(Limits.StalledPartBytesPerSecond, Limits.StalledPartAfter, time);
    }

    public string ClientId { get; }

    /// <summary>Whether the slot is one of those for slow parts.</summary>
    public bool IsAside { get; private set; }

    /// <summary>Whether its client sends so slowly that a quick part should not wait for it.</summary>
    public bool IsSlow => _slow.IsBelow;

    /// <summary>Whether its client sends next to nothing.</summary>
    public bool IsStalled => _stalled.IsBelow;

    /// <summary>How much of the part has arrived.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Whether all of it has arrived: then it does not wait for its client, and keeps its slot.</summary>
    public bool IsComplete => _isComplete;

    /// <summary>Whether another part needs the slot more.</summary>
    public bool IsWithdrawn => _withdrawn.IsCancellationRequested;

    /// <summary>Cancelled when another part needs the slot more.</summary>
    public CancellationToken Withdrawn => _withdrawn.Token;

    public void BeginWait()
    {
        _slow.BeginWait();
        _stalled.BeginWait();
    }

    public void EndWait(int bytes)
    {
        Interlocked.Add(ref _bytes, bytes);
        _slow.EndWait(bytes);
        _stalled.EndWait(bytes);
    }

    /// <summary>Notes that all of the part has arrived.</summary>
    public void Complete() => _isComplete = true;

    /// <summary>Exchanges the slot for one of those for slow parts.</summary>
    public void StepAside(FairSlots.Slot slot)
    {
        _slot.Dispose();
        (_slot, IsAside) = (slot, true);
    }

    /// <summary>The answer to a part that has lost its slot.</summary>
    public static RequestException Lost() =>
        RequestException.Busy(
            "The part arrived very slowly, and the server needed its memory for another one.",
            "Send it again."
        );

    public void Withdraw() => _ = _withdrawn.CancelAsync(); // on other threads: the caller holds a lock

    public void Dispose()
    {
        _release(this);
        _slot.Dispose();
        _withdrawn.Dispose();
    }
}
