using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Deflates with ISA-L.</summary>
internal sealed unsafe class IsalDeflater(IsalLibrary isal, int level) : Deflater
{
    /// <summary>The largest that a level needs is ISAL_DEF_LVL3_LARGE, 348,160 bytes; with a margin.</summary>
    private const int LevelBufferSize = 384 * 1024;

    /// <summary>IGZIP_GZIP_NO_HDR: ISA-L computes the CRC and writes the trailer; the header is ours.</summary>
    private const ushort TrailerOnly = 2;

    /// <summary>The state, and after it the buffer that levels above 0 need.</summary>
    private readonly IsalMemory _memory = new(IsalLibrary.DeflateStateSize + (level == 0 ? 0 : LevelBufferSize));

    public override int Deflate(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        fixed (
            byte* memory = _memory,
                input = block,
                output = destination
        )
        {
            isal.InitDeflate(memory);
            var state = (State*)memory;
            state->NextIn = input;
            state->AvailableIn = (uint)block.Length;
            state->NextOut = output;
            state->AvailableOut = (uint)destination.Length;
            state->Level = (uint)level;
            state->LevelBuffer = level == 0 ? null : memory + IsalLibrary.DeflateStateSize;
            state->LevelBufferSize = level == 0 ? 0u : LevelBufferSize;
            state->EndOfStream = 1;
            state->GzipFlag = TrailerOnly;
            return isal.Deflate(state) == 0 && state->AvailableIn == 0 ? (int)state->TotalOut : 0;
        }
    }

    /// <summary>The fields of struct isal_zstream that the caller sets and reads.</summary>
    [StructLayout(LayoutKind.Explicit)]
    private struct State
    {
        [FieldOffset(0)]
        public byte* NextIn;

        [FieldOffset(8)]
        public uint AvailableIn;

        [FieldOffset(16)]
        public byte* NextOut;

        [FieldOffset(24)]
        public uint AvailableOut;

        [FieldOffset(28)]
        public uint TotalOut;

        [FieldOffset(40)]
        public uint Level;

        [FieldOffset(44)]
        public uint LevelBufferSize;

        [FieldOffset(48)]
        public byte* LevelBuffer;

        [FieldOffset(56)]
        public ushort EndOfStream;

        [FieldOffset(60)]
        public ushort GzipFlag;
    }
}
