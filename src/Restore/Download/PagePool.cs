using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// The memory for parts in transit: pages that are allocated once, pinned because sockets write to them, and reused.
/// Callers wait while all pages are in use. Thread-safe.
/// </summary>
internal sealed class PagePool : IDisposable
{
    public const int PageSize = 1024 * 1024;

    private readonly ConcurrentBag<byte[]> _idle = [];
    private readonly SemaphoreSlim _available;

    /// <param name="bytes">Total size of all pages.</param>
    public PagePool(long bytes)
    {
        Pages = (int)(bytes / PageSize);
        _available = new SemaphoreSlim(Pages);
    }

    /// <summary>The number of pages.</summary>
    public int Pages { get; private set; }

    /// <summary>The number of pages that a part needs.</summary>
    public static int PagesOf(int size) => (size + PageSize - 1) / PageSize;

    /// <summary>
    /// Grows the pool if a part of this size would not fit: a part must be complete before a byte of it is used.
    /// </summary>
    /// <remarks>Must not be called while another transfer uses the pool.</remarks>
    public void MakeRoomFor(int size)
    {
        var missing = PagesOf(size) - Pages;
        if (missing <= 0)
            return;
        Pages += missing;
        _ = _available.Release(missing);
    }

    public async ValueTask<byte[]> RentAsync(CancellationToken cancellationToken)
    {
        await _available.WaitAsync(cancellationToken);
        return _idle.TryTake(out var page) ? page : GC.AllocateUninitializedArray<byte>(PageSize, pinned: true);
    }

    public void Return(byte[] page)
    {
        _idle.Add(page);
        _ = _available.Release();
    }

    public void Dispose() => _available.Dispose();
}
