using System.Collections.Concurrent;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Compression.Blocks;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// Threads that compress blocks. Dedicated threads rather than thread-pool tasks, so that they cannot starve network
/// callbacks.
/// </summary>
internal sealed class BlockWorkers : IDisposable
{
    /// <summary>More would be idle: eight threads compress faster than <c>zfs send</c> sends.</summary>
    private const int Most = 8;

    private readonly BlockingCollection<StoredBlock> _queue = [];
    private readonly List<BlockCompressor> _compressors = [];
    private readonly List<Thread> _threads = [];

    public BlockWorkers(CompressionFormat format, int? level, int count)
    {
        for (var number = 0; number < count; number++)
        {
            var compressor = BlockCompression.Create(format, level);
            _compressors.Add(compressor);
            var thread = new Thread(() => Work(compressor)) { IsBackground = true, Name = $"compressor {number + 1}" };
            _threads.Add(thread);
            thread.Start();
        }
    }

    /// <summary>How many threads to use for a stream of this format.</summary>
    public static int CountFor(CompressionFormat format) =>
        format == CompressionFormat.None ? 0 : Math.Min(Environment.ProcessorCount, Most);

    /// <summary>The largest size in bytes that a stored block can have.</summary>
    public int MaxSize(int length) => _compressors[0].MaxSize(length);

    public void Add(StoredBlock block) => _queue.Add(block);

    /// <summary>Waits until the threads have compressed what is queued.</summary>
    public void Dispose()
    {
        _queue.CompleteAdding();
        foreach (var thread in _threads)
            thread.Join();
        foreach (var compressor in _compressors)
            compressor.Dispose();
        _queue.Dispose();
    }

    private void Work(BlockCompressor compressor)
    {
        foreach (var block in _queue.GetConsumingEnumerable())
            block.Compress(compressor);
    }
}
