namespace ZfsSnapshotManager.Restore.Download;

/// <summary>A part in transit: the pages assigned to it, filled from the first on.</summary>
internal sealed class PartBuffer(BackupPart part) : IDisposable
{
    private readonly byte[]?[] _pages = new byte[]?[PagePool.PagesOf(part.Size)];
    private readonly SemaphoreSlim _arrived = new(0);
    private int _assigned;
    private int _usable;

    public BackupPart Part => part;

    /// <summary>Completes when the part has arrived and is verified; its result is the part's SHA-256.</summary>
    public Task<byte[]> Fetched { get; set; } = Task.FromResult<byte[]>([]);

    /// <summary>Whether all pages it needs are assigned.</summary>
    public bool HasAllPages => _assigned == _pages.Length;

    /// <summary>Assigns one more page.</summary>
    public void Assign(byte[] page)
    {
        _pages[_assigned++] = page;
        _ = _arrived.Release();
    }

    /// <summary>The memory from a position to the end of its page. Waits until the page is assigned.</summary>
    public async ValueTask<Memory<byte>> RoomAsync(int position, CancellationToken cancellationToken)
    {
        while (_usable <= position / PagePool.PageSize)
        {
            await _arrived.WaitAsync(cancellationToken);
            _usable++;
        }

        return At(position);
    }

    /// <summary>The content from a position to the end of its page.</summary>
    public ReadOnlyMemory<byte> ContentAt(int position) => At(position);

    /// <summary>Returns the page before a position to the pool once all of it has been read.</summary>
    public void ReleaseBefore(int position, PagePool pool)
    {
        if (position % PagePool.PageSize == 0 || position == part.Size)
            Release((position - 1) / PagePool.PageSize, pool);
    }

    /// <summary>Returns all remaining pages to the pool.</summary>
    public void ReleaseAll(PagePool pool)
    {
        for (var index = 0; index < _assigned; index++)
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
