using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>
/// The memory for parts on their way: pages that are made once, pinned, since sockets write to them, and used again and
/// again. Who asks for one when all are in use waits.
/// </summary>
internal sealed class PagePool : IDisposable
{
    public const int PageSize = 1024 * 1024;

    private readonly ConcurrentBag<byte[]> _unused = [];
    private readonly SemaphoreSlim _free;

    /// <param name="bytes">The most that all pages together have.</param>
    public PagePool(long bytes)
    {
        Pages = (int)(bytes / PageSize);
        _free = new SemaphoreSlim(Pages);
    }

    /// <summary>How many there may be.</summary>
    public int Pages { get; private set; }

    /// <summary>Pages that a part needs.</summary>
    public static int PagesOf(int size) => (size + PageSize - 1) / PageSize;

    /// <summary>
    /// Sees to it that a part of this size has room: it must be here as a whole before a byte of it is used.
    /// </summary>
    /// <remarks>Not while another transfer uses the pool.</remarks>
    public void MakeRoomFor(int size)
    {
        var missing = PagesOf(size) - Pages;
        if (missing <= 0)
            return;
        Pages += missing;
        _ = _free.Release(missing);
    }

    public async ValueTask<byte[]> TakeAsync(CancellationToken cancellationToken)
    {
        await _free.WaitAsync(cancellationToken);
        return _unused.TryTake(out var page) ? page : GC.AllocateUninitializedArray<byte>(PageSize, pinned: true);
    }

    public void Return(byte[] page)
    {
        _unused.Add(page);
        _ = _free.Release();
    }

    public void Dispose() => _free.Dispose();
}
