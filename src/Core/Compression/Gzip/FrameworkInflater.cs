using System.IO.Compression;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Inflates by the framework's zlib, for machines without ISA-L.</summary>
public sealed class FrameworkInflater : Inflater
{
    public override unsafe string? Inflate(ReadOnlySpan<byte> deflated, Span<byte> destination)
    {
        var data = deflated[..^GzipMember.TrailerSize];
        fixed (byte* start = data)
        {
            using var source = new LastByteApart(start, data.Length);
            using var inflate = new DeflateStream(source, CompressionMode.Decompress);
            try
            {
                if (
                    inflate.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false) < destination.Length
                )
                    return "it is shorter than it says";
                if (inflate.ReadByte() >= 0)
                    return "it is longer than it says";
            }
            catch (InvalidDataException e)
            {
                return e.Message.TrimEnd('.');
            }

            return source.LastWasRead
                ? GzipMember.FindTrailerFault(deflated[^GzipMember.TrailerSize..], destination)
                : "it has bytes after its end";
        }
    }

    /// <summary>
    /// Memory whose last byte is read in a read of its own. DeflateStream does not report where deflate data end, and
    /// reads ahead. If it asks for the last byte, the data do not end before it.
    /// </summary>
    private sealed unsafe class LastByteApart(byte* start, long length) : UnmanagedMemoryStream(start, length)
    {
        public bool LastWasRead { get; private set; }

        /// <summary>In a derived class, UnmanagedMemoryStream passes reads into spans to this method as well.</summary>
        public override int Read(byte[] buffer, int offset, int count)
        {
            var left = Length - Position;
            LastWasRead |= left == 1;
            return base.Read(buffer, offset, left > 1 ? (int)Math.Min(count, left - 1) : count);
        }
    }
}
