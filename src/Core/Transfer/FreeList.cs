using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Objects that are used again, so that memory does not grow with the bytes that pass. The runtime's shared pool of
/// arrays would keep some for each thread that ever returned one, and a server's threads come and go. Safe for use by
/// several threads.
/// </summary>
/// <param name="most">How many are kept.</param>
internal sealed class FreeList<T>(int most)
    where T : class
{
    private readonly ConcurrentStack<T> _free = new();

    /// <returns>Null if the list is empty.</returns>
    public T? TryRent() => _free.TryPop(out var free) ? free : null;

    /// <summary>Returns an object that nobody uses any more.</summary>
    /// <returns>False if the list is full; the caller then disposes of it.</returns>
    public bool TryReturn(T item)
    {
        if (_free.Count >= most)
            return false;
        _free.Push(item);
        return true;
    }
}
