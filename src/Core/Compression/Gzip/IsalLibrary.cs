using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>
/// Intel's ISA-L, which deflates and inflates several times as fast as zlib. It is loaded at run time and not linked
/// in, so that the programs run without it and get its security updates.
/// </summary>
/// <remarks>
/// The functions work on structs of the caller. Sizes and offsets are those of <c>igzip_lib.h</c> of ISA-L 2.30, the
/// same on x86-64 and arm64 (computed by a C compiler). The layout does not change under the name <c>libisal.so.2</c>;
/// if it did, the self-test when the library is loaded would fail.
/// </remarks>
internal sealed unsafe partial class IsalLibrary
{
    /// <summary>sizeof(struct isal_zstream) is 82,384; with a margin.</summary>
    public const int DeflateStateSize = 96 * 1024;

    /// <summary>sizeof(struct inflate_state) is 87,368; with a margin.</summary>
    public const int InflateStateSize = 104 * 1024;

    private const string FileName = "libisal.so.2";

    private readonly delegate* unmanaged<void*, void> _deflateInit;
    private readonly delegate* unmanaged<void*, int> _deflate;
    private readonly delegate* unmanaged<void*, void> _inflateInit;
    private readonly delegate* unmanaged<void*, int> _inflate;
    private readonly delegate* unmanaged<void*, int> _inflateAtOnce;

    private IsalLibrary(nint library)
    {
        _deflateInit = (delegate* unmanaged<void*, void>)
            NativeLibrary.GetExport(library, "isal_deflate_stateless_init");
        _deflate = (delegate* unmanaged<void*, int>)NativeLibrary.GetExport(library, "isal_deflate_stateless");
        _inflateInit = (delegate* unmanaged<void*, void>)NativeLibrary.GetExport(library, "isal_inflate_init");
        _inflate = (delegate* unmanaged<void*, int>)NativeLibrary.GetExport(library, "isal_inflate");
        _inflateAtOnce = (delegate* unmanaged<void*, int>)NativeLibrary.GetExport(library, "isal_inflate_stateless");
    }

    /// <summary>Null if it is not installed, or fails its self-test.</summary>
    public static IsalLibrary? Current { get; } = Load();

    /// <summary>With its version, if the name of its file has one; the library itself does not report it.</summary>
    public string Name { get; } = FindName();

    public void InitDeflate(void* state) => _deflateInit(state);

    public int Deflate(void* state) => _deflate(state);

    public void InitInflate(void* state) => _inflateInit(state);

    public int Inflate(void* state) => _inflate(state);

    public int InflateAtOnce(void* state) => _inflateAtOnce(state);

    private static IsalLibrary? Load()
    {
        if (!NativeLibrary.TryLoad(FileName, out var library))
            return null;
        try
        {
            var isal = new IsalLibrary(library);
            return isal.Works() ? isal : null;
        }
        catch (EntryPointNotFoundException)
        {
            // Another library of that name; the framework's zlib is used.
            return null;
        }
    }

    /// <summary>The self-test: a text is restored, and one with a wrong CRC is refused.</summary>
    private bool Works()
    {
        var text = new byte[1000];
        for (var i = 0; i < text.Length; i++)
            text[i] = unchecked((byte)(i * i >> 5));
        var deflated = new byte[2000];
        var deflater = new IsalDeflater(this, 1);
        var inflater = new IsalInflater(this);
        var size = deflater.Deflate(text, deflated);
        var inflated = new byte[text.Length];
        if (
            size is 0 or > 2000
            || inflater.Inflate(deflated.AsSpan(0, size), inflated) is not null
            || !inflated.AsSpan().SequenceEqual(text)
        )
            return false;
        deflated[size - 5] ^= 1;
        return inflater.Inflate(deflated.AsSpan(0, size), inflated) is not null;
    }

    private static string FindName()
    {
        foreach (var line in File.ReadLines("/proc/self/maps"))
        {
            if (FilePattern().Match(line) is { Success: true } match)
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"ISA-L {match.Groups["major"].ValueSpan}.{match.Groups["minor"].ValueSpan}"
                );
        }

        return "ISA-L";
    }

    [GeneratedRegex(
        @"/libisal\.so\.(?<major>\d+)\.\d+\.(?<minor>\d+)$",
        RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex FilePattern();
}
