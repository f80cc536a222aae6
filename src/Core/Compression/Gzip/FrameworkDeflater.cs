using System.IO.Compression;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Deflates by the framework's zlib, for machines without ISA-L.</summary>
public sealed class FrameworkDeflater(int level) : Deflater
{
    /// <summary>For each level of ISA-L, the level of zlib that makes about the same size.</summary>
    private static readonly int[] ZlibLevels = [1, 2, 3, 6];

    private readonly ZLibCompressionOptions _options = new() { CompressionLevel = ZlibLevels[level] };

    public override unsafe int Deflate(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        var room = destination.Length - GzipMember.TrailerSize;
        fixed (byte* start = destination)
        {
            using var target = new UnmanagedMemoryStream(start, 0, room, FileAccess.Write);
            try
            {
                using var deflate = new DeflateStream(target, _options, leaveOpen: true);
                deflate.Write(block);
            }
            catch (NotSupportedException)
            {
                // UnmanagedMemoryStream throws this when its memory is full.
                return 0;
            }

            var size = (int)target.Length;
            GzipMember.WriteTrailer(destination[size..], block);
            return size + GzipMember.TrailerSize;
        }
    }
}
