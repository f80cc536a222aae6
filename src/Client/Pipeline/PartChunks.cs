using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// All the memory for parts, in chunks that are allocated once and reused. Callers wait until a stored part returns its
/// chunks. Thread-safe.
/// </summary>
internal sealed class PartChunks(int count) : IDisposable
{
    public const int ChunkSize = 256 * 1024;

    private readonly SemaphoreSlim _available = new(count);
    private readonly ConcurrentBag<byte[]> _chunks = [];

    public async ValueTask<byte[]> RentAsync(CancellationToken cancellationToken)
    {
        await _available.WaitAsync(cancellationToken);
        return _chunks.TryTake(out var chunk) ? chunk : GC.AllocateUninitializedArray<byte>(ChunkSize, pinned: true);
    }

    public void Return(IReadOnlyCollection<byte[]> chunks)
    {
        foreach (var chunk in chunks)
            _chunks.Add(chunk);
        if (chunks.Count > 0)
            _available.Release(chunks.Count);
    }

    public void Dispose() => _available.Dispose();
}
