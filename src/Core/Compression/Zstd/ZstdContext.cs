using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Core.Compression.Zstd;

/// <summary>A context of libzstd, which the runtime frees even if nobody disposes of it.</summary>
internal sealed class ZstdContext : SafeHandle
{
    private readonly Func<nint, nuint> _free;

    private ZstdContext(nint context, Func<nint, nuint> free)
        : base(0, ownsHandle: true)
    {
        if (context == 0)
            throw new InvalidOperationException("libzstd has no memory.");
        _free = free;
        SetHandle(context);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The context for a call.</summary>
    public nint Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    public static ZstdContext ForCompression() => new(ZstdLibrary.CreateCompressor(), ZstdLibrary.FreeCompressor);

    public static ZstdContext ForDecompression() => new(ZstdLibrary.CreateDecompressor(), ZstdLibrary.FreeDecompressor);

    protected override bool ReleaseHandle() => ZstdLibrary.IsError(_free(handle)) == 0;
}
