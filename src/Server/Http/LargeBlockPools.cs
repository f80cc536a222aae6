using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>
/// Memory for Kestrel's connections in blocks of 32 KiB: with Kestrel's own blocks of 4 KiB, a large body costs several
/// times the processor time.
/// </summary>
internal sealed class LargeBlockPools : IMemoryPoolFactory<byte>
{
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new LargeBlockPool();

    /// <summary>
    /// Blocks are pinned once and reused; arrays of the runtime's shared pool would be pinned by each read from a
    /// socket.
    /// </summary>
    private sealed class LargeBlockPool : MemoryPool<byte>
    {
        private const int BlockSize = 32 * 1024;
        private const int MaxUnused = 512;

        private readonly ConcurrentBag<Block> _unused = [];

        public override int MaxBufferSize => BlockSize;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
            return _unused.TryTake(out var block) ? block : new Block(this);
        }

        protected override void Dispose(bool disposing) => _unused.Clear();

        private sealed class Block(LargeBlockPool owner) : IMemoryOwner<byte>
        {
            private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockSize, pinned: true);

            public Memory<byte> Memory => MemoryMarshal.CreateFromPinnedArray(_bytes, 0, BlockSize);

            public void Dispose()
            {
                if (owner._unused.Count < MaxUnused)
                    owner._unused.Add(this);
            }
        }
    }
}
