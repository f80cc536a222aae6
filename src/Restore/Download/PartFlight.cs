namespace ZfsSnapshotManager.Restore.Download;

/// <summary>A part on its way: the pages that it was given, filled from the first on.</summary>
internal sealed class PartFlight(BackupPart part) : IDisposable
{
    private readonly byte[]?[] _pages = new byte[]?[PagePool.PagesOf(part.Size)];
    private readonly SemaphoreSlim _arrived = new(0);
    private int _given;
    private int _usable;

    public BackupPart Part => part;

    /// <summary>Ends when the part is here and right.</summary>
    public Task Fetched { get; set; } = Task.CompletedTask;

    /// <summary>Whether it has all the pages it needs.</summary>
    public bool HasAllPages => _given == _pages.Length;

    /// <summary>Gives it one more page.</summary>
    public void Give(byte[] page)
    {
        _pages[_given++] = page;
        _ = _arrived.Release();
    }

    /// <summary>The room from a position on, as far as its page goes; waits until the page is given.</summary>
    public async ValueTask<Memory<byte>> RoomAsync(int position, CancellationToken cancellationToken)
    {
        for (; _usable <= position / PagePool.PageSize; _usable++)
            await _arrived.WaitAsync(cancellationToken);
        return At(position);
    }

    /// <summary>The content from a position on, as far as its page goes.</summary>
    public ReadOnlyMemory<byte> ContentAt(int position) => At(position);

    /// <summary>Gives the page before a position back once all of it was used.</summary>
    public void ReleaseBefore(int position, PagePool pool)
    {
        if (position % PagePool.PageSize == 0 || position == part.Size)
            Release((position - 1) / PagePool.PageSize, pool);
    }

    /// <summary>Gives all pages back that it still has.</summary>
    public void ReleaseAll(PagePool pool)
    {
        for (var index = 0; index < _given; index++)
            Release(index, pool);
    }

    public void Dispose() => _arrived.Dispose();

    private Memory<byte> At(int position)
    {
        var inPage = position % PagePool.PageSize;
        return _pages[position / PagePool.PageSize]
            .AsMemory(inPage, Math.Min(PagePool.PageSize - inPage, part.Size - position));
    }

    private void Release(int index, PagePool pool)
    {
        if (_pages[index] is not { } page)
            return;
        _pages[index] = null;
        pool.Return(page);
    }
}
