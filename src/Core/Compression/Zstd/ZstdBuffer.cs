using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Core.Compression.Zstd;

/// <summary>ZSTD_inBuffer and ZSTD_outBuffer: memory, its size, and how far it is used.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ZstdBuffer
{
    public byte* Start;
    public nuint Size;
    public nuint Position;
}
