using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Limits how many parts are received at once to what there is memory for. Parts that wait have not been read and cost
/// nothing. While a part waits, nobody keeps its slot for as long as a peer likes: slow parts step aside, into slots of
/// their own; when those are full too, or a client has its share of them, a part loses its slot
/// (<see cref="PartEviction"/>).
/// </summary>
internal sealed class PartSlots
{
    /// <summary>How often a waiting part looks for slow ones.</summary>
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(250);

    private readonly FairSlots _quick;
    private readonly FairSlots _slow;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly List<PartSlot> _receiving = [];
    private readonly List<string> _waiting = []; // the client of each part that waits

    public PartSlots(PartBuffers buffers, TimeProvider time)
    {
        _time = time;
        _slow = new FairSlots(buffers.Limit * Limits.SlowPartsForEachQuickOne, buffers.Limit);
        _quick = new FairSlots(buffers.Limit, buffers.Limit, _slow.HeldBy);
    }

    /// <returns>Releases the slot when it is disposed.</returns>
    /// <exception cref="RequestException">503: no slot was released for too long.</exception>
    public async Task<PartSlot> AcquireAsync(string clientId, CancellationToken cancellationToken)
    {
        var slot = await WaitAsync(clientId, cancellationToken) ?? throw Busy();
        var part = new PartSlot(clientId, slot, _time, Remove);
        lock (_lock)
            _receiving.Add(part);
        return part;
    }

    private async Task<FairSlots.Slot?> WaitAsync(string clientId, CancellationToken cancellationToken)
    {
        var acquiring = _quick.AcquireAsync(clientId, Limits.PartPatience, cancellationToken);
        if (acquiring.IsCompleted)
            return await acquiring;
        lock (_lock)
            _waiting.Add(clientId);
        try
        {
            while (!acquiring.IsCompleted)
            {
                MakeRoom();
                await Task.WhenAny(acquiring, Task.Delay(Glance, _time, CancellationToken.None));
            }

            return await acquiring;
        }
        finally
        {
            lock (_lock)
                _waiting.Remove(clientId);
        }
    }

    private void Remove(PartSlot part)
    {
        lock (_lock)
            _receiving.Remove(part);
    }

    private void MakeRoom()
    {
        lock (_lock)
        {
            foreach (var part in _receiving.Where(part => part is { IsAside: false, IsSlow: true }))
            {
                if (_slow.TryAcquire(part.ClientId) is { } aside)
                    part.StepAside(aside);
                else
                    WithdrawFor(part);
            }
        }
    }

    /// <summary>Under the lock.</summary>
    /// <param name="stuck">A slow part in a slot for quick ones.</param>
    private void WithdrawFor(PartSlot stuck)
    {
        // Those that have lost their slot release it in a moment.
        if (_receiving.Count(part => part.IsWithdrawn) >= _waiting.Count)
            return;
        var hasItsShareAside = _slow.HeldBy(stuck.ClientId) >= _quick.Limit;
        PartEviction
            .Choose(
                [.. _receiving.Where(part => !part.IsWithdrawn)],
                _waiting,
                _quick.Limit + _slow.Limit,
                hasItsShareAside ? stuck.ClientId : null
            )
            ?.Withdraw();
    }

    private RequestException Busy() =>
        RequestException.Busy(
            $"The server receives {_quick.Limit} parts at once, and none of them ended within "
                + $"{Limits.PartPatience.TotalSeconds:0} s.",
            "Send it again; the server's administrator can give more memory to parts."
        );
}
