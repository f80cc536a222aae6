using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>
/// Memory for Kestrel's connections in blocks of 32 KiB: with Kestrel's own blocks of 4 KiB, a large body costs several
/// times the processor time. One pool for all of Kestrel's queues.
/// </summary>
internal sealed class LargeBlockPools : IMemoryPoolFactory<byte>
{
    private readonly UnusedBlocks _unused = new();

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new LargeBlockPool(_unused);

    /// <summary>Drops the blocks that nobody needed since the last call.</summary>
    /// <returns>Bytes that were dropped.</returns>
    public long Trim() => _unused.Trim();

    /// <summary>
    /// Blocks are pinned once and reused; arrays of the runtime's shared pool would be pinned by each read from a
    /// socket.
    /// </summary>
    private sealed class LargeBlockPool(UnusedBlocks unused) : MemoryPool<byte>
    {
        public override int MaxBufferSize => Block.Size;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, Block.Size);
            return unused.TryTake() ?? new Block(unused);
        }

        protected override void Dispose(bool disposing)
        {
            // The other queues' pools use the blocks too.
        }
    }

    /// <summary>
    /// Counted beside the bag: <see cref="ConcurrentBag{T}.Count"/> locks the queues of all threads.
    /// </summary>
    private sealed class UnusedBlocks
    {
        private readonly ConcurrentBag<Block> _blocks = [];
        private int _count;
        private int _least;

        public Block? TryTake()
        {
            if (!_blocks.TryTake(out var block))
                return null;
            var left = Interlocked.Decrement(ref _count);
            if (left < Volatile.Read(ref _least))
                Volatile.Write(ref _least, left); // another thread's may be lost: then one block more is dropped
            return block;
        }

        public void Add(Block block)
        {
            _blocks.Add(block);
            Interlocked.Increment(ref _count);
        }

        public long Trim()
        {
            var surplus = Volatile.Read(ref _least);
            var dropped = 0;
            for (; dropped < surplus && _blocks.TryTake(out _); dropped++)
                Interlocked.Decrement(ref _count);
            Volatile.Write(ref _least, Volatile.Read(ref _count));
            return (long)dropped * Block.Size;
        }
    }

    private sealed class Block(UnusedBlocks unused) : IMemoryOwner<byte>
    {
        public const int Size = 32 * 1024;

        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(Size, pinned: true);

        public Memory<byte> Memory => MemoryMarshal.CreateFromPinnedArray(_bytes, 0, Size);

        public void Dispose() => unused.Add(this);
    }
}
