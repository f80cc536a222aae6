using System.Reflection;
using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Core.Compression.Zstd;

/// <summary>
/// libzstd. It is linked into the published programs (docs/decisions/0016); under the just-in-time compiler the
/// machine's library is loaded.
/// </summary>
internal static unsafe partial class ZstdLibrary
{
    /// <summary>ZSTD_c_compressionLevel.</summary>
    public const int CompressionLevel = 100;

    /// <summary>ZSTD_c_checksumFlag.</summary>
    public const int ChecksumFlag = 201;

    /// <summary>ZSTD_d_windowLogMax.</summary>
    public const int MaxWindow = 100;

    private const string Library = "libzstd";

    /// <summary>The name of the runtime package; "libzstd.so" would need the development package.</summary>
    private const string FileName = "libzstd.so.1";

    static ZstdLibrary() => NativeLibrary.SetDllImportResolver(typeof(ZstdLibrary).Assembly, Resolve);

    public static string Version { get; } = Marshal.PtrToStringUTF8(VersionString())!;

    public static string NameOf(nuint error) => Marshal.PtrToStringUTF8(ErrorName(error))!;

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    public static partial uint IsError(nuint result);

    [LibraryImport(Library, EntryPoint = "ZSTD_compressBound")]
    public static partial nuint CompressBound(nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    public static partial nint CreateCompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    public static partial nuint FreeCompressor(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    public static partial nuint SetParameter(nint context, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_compress2")]
    public static partial nuint Compress(nint context, byte* destination, nuint capacity, byte* source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    public static partial nint CreateDecompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_DCtx_setParameter")]
    public static partial nuint SetDecompressorParameter(nint context, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    public static partial nuint FreeDecompressor(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressDCtx")]
    public static partial nuint Decompress(nint context, byte* destination, nuint capacity, byte* source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressStream")]
    public static partial nuint Decompress(nint context, ref ZstdBuffer output, ref ZstdBuffer input);

    [LibraryImport(Library, EntryPoint = "ZSTD_findFrameCompressedSize")]
    public static partial nuint FindFrameSize(byte* source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_getFrameContentSize")]
    public static partial ulong FindContentSize(byte* source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_versionString")]
    private static partial nint VersionString();

    [LibraryImport(Library, EntryPoint = "ZSTD_getErrorName")]
    private static partial nint ErrorName(nuint error);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        name == Library && NativeLibrary.TryLoad(FileName, out var library) ? library : 0;
}
