using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// What is used again, so that memory stays where it is however much passes. The runtime's shared pool of arrays would
/// keep some for each thread that ever gave one back, and a server's threads come and go.
/// </summary>
/// <param name="most">How many are kept.</param>
internal sealed class FreeList<T>(int most)
    where T : class
{
    private readonly ConcurrentStack<T> _free = new();

    /// <returns>Null where none is free.</returns>
    public T? Take() => _free.TryPop(out var free) ? free : null;

    /// <summary>Gives back what nobody uses any more.</summary>
    /// <returns>False where it is not kept.</returns>
    public bool Give(T item)
    {
        if (_free.Count >= most)
            return false;
        _free.Push(item);
        return true;
    }
}
