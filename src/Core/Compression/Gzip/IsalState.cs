using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>
/// The fields of ISA-L's struct inflate_state that the caller sets and reads; its tables lie between them.
/// </summary>
[StructLayout(LayoutKind.Explicit)]
internal unsafe struct IsalState
{
    /// <summary>ISAL_GZIP_NO_HDR_VER: no header; ISA-L checks the trailer.</summary>
    public const uint TrailerOnly = 6;

    /// <summary>ISAL_BLOCK_FINISH: everything is decompressed and returned.</summary>
    public const int Finished = 5;

    [FieldOffset(0)]
    public byte* NextOut;

    [FieldOffset(8)]
    public uint AvailableOut;

    [FieldOffset(12)]
    public uint TotalOut;

    [FieldOffset(16)]
    public byte* NextIn;

    [FieldOffset(32)]
    public uint AvailableIn;

    [FieldOffset(21160)]
    public int BlockState;

    [FieldOffset(21172)]
    public uint Wrapping;

    public void Set(byte* input, int inputSize, byte* output, int outputSize)
    {
        (AvailableIn, AvailableOut) = ((uint)inputSize, (uint)outputSize);
        NextIn = input;
        NextOut = output;
    }

    public static string DescribeFault(int result) =>
        result switch
        {
            1 => "it is cut off",
            2 => "it is longer than it says",
            -1 => "it has a deflate block of an unknown type",
            -2 => "it has an invalid symbol",
            -3 => "it refers to bytes before its start",
            -4 or -5 => "its header is not gzip's",
            -6 => "its CRC or length is wrong",
            _ => $"ISA-L says {result}",
        };
}
