using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>
/// Intel's ISA-L, which deflates and inflates several times as fast as zlib. It is looked for at run time and not
/// linked in, so that the programs run without it and get its security updates.
/// </summary>
/// <remarks>
/// What the functions work on are structs of the caller's. Sizes and offsets are those of <c>igzip_lib.h</c> of ISA-L
/// 2.30, the same on x86-64 and arm64 (computed by a C compiler); <c>libisal.so.2</c> is the name under which that
/// layout stays. The trial at the start would show another one.
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

    /// <summary>Null where it is not installed, or does not do what it should.</summary>
    public static IsalLibrary? Current { get; } = Load();

    /// <summary>With its version, where the file's name tells it; the library itself does not.</summary>
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
            // Not the library that is meant; the framework's zlib does the work.
            return null;
        }
    }

    /// <summary>A text goes there and back, and one with a wrong CRC does not.</summary>
    private bool Works()
    {
        var text = new byte[1000];
        for (var i = 0; i < text.Length; i++)
            text[i] = (byte)(i * i >> 5);
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
