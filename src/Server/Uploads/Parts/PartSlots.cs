using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Limits how many parts are received at once to what there is memory for. Parts that wait have not been read and cost
/// nothing. While a part waits, nobody keeps its slot for as long as a peer likes: slow parts step aside, into slots of
/// their own; when those are full too, a stalled part loses its slot, of the client that holds the most.
/// </summary>
internal sealed class PartSlots(PartBuffers buffers, TimeProvider time)
{
    /// <summary>How often a waiting part looks for slow ones.</summary>
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(250);

    private readonly FairSlots _quick = new(buffers.Limit, buffers.Limit);
    private readonly FairSlots _slow = new(buffers.Limit * Limits.SlowPartsForEachQuickOne, buffers.Limit);
    private readonly Lock _lock = new();
    private readonly List<PartSlot> _receiving = [];

    /// <returns>Releases the slot when it is disposed.</returns>
    /// <exception cref="RequestException">503: no slot was released for too long.</exception>
    public async Task<PartSlot> AcquireAsync(string clientId, CancellationToken cancellationToken)
    {
        var acquiring = _quick.AcquireAsync(clientId, Limits.PartPatience, cancellationToken);
        while (!acquiring.IsCompleted)
        {
            MakeRoom();
            await Task.WhenAny(acquiring, Task.Delay(Glance, time, CancellationToken.None));
        }

        var slot = await acquiring ?? throw Busy();
        var part = new PartSlot(clientId, slot, time, Remove);
        lock (_lock)
            _receiving.Add(part);
        return part;
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
                    WithdrawStalled();
            }
        }
    }

    /// <summary>Under the lock.</summary>
    private void WithdrawStalled() =>
        _receiving
            .Where(part => part.IsStalled && !part.Withdrawn.IsCancellationRequested)
            .MaxBy(part => _receiving.Count(other => other.ClientId == part.ClientId))
            ?.Withdraw();

    private RequestException Busy() =>
        RequestException.Busy(
            $"The server receives {_quick.Limit} parts at once, and none of them ended within "
                + $"{Limits.PartPatience.TotalSeconds:0} s.",
            "Send it again; the server's administrator can give more memory to parts."
        );
}
