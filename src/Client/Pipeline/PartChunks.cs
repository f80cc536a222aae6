using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// All the memory there is for parts, in chunks that are made once and used again. Who needs one waits until a part is
/// stored.
/// </summary>
internal sealed class PartChunks(int count) : IDisposable
{
    public const int ChunkSize = 256 * 1024;

    private readonly SemaphoreSlim _free = new(count);
    private readonly ConcurrentBag<byte[]> _chunks = [];

    public async ValueTask<byte[]> RentAsync(CancellationToken cancellationToken)
    {
        await _free.WaitAsync(cancellationToken);
        return _chunks.TryTake(out var chunk) ? chunk : GC.AllocateUninitializedArray<byte>(ChunkSize, pinned: true);
    }

    public void Return(IReadOnlyCollection<byte[]> chunks)
    {
        foreach (var chunk in chunks)
            _chunks.Add(chunk);
        if (chunks.Count > 0)
            _free.Release(chunks.Count);
    }

    public void Dispose() => _free.Dispose();
}
