using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>Who owns a file, and who else may write to it.</summary>
internal static partial class FileOwner
{
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const uint BasicStats = 0x7ff; // STATX_BASIC_STATS
    private const int TypeMask = 0xF000; // S_IFMT
    private const int RegularFile = 0x8000; // S_IFREG
    private const int SymbolicLink = 0xA000; // S_IFLNK
    private const int GroupMayWrite = 0x10;
    private const int OthersMayWrite = 0x2;

    /// <summary>
    /// Why a file in a directory that may be somebody else's cannot be trusted: only its owner should be able to decide
    /// what is in it, and that must be this user or root.
    /// </summary>
    /// <returns>Null if it can be trusted; the text continues "the file …".</returns>
    public static string? FindDistrust(string path)
    {
        if (Check(path, NoFollow, out var isLink) is { } fault)
            return fault;
        return isLink ? Check(path, 0, out _) : null;
    }

    /// <summary>The same for a file that is open: what its path names can have changed meanwhile.</summary>
    public static string? FindDistrust(SafeFileHandle file) =>
        Check(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file.DangerousGetHandle()}"), 0, out _);

    private static string? Check(string path, int flags, out bool isLink)
    {
        isLink = false;
        if (StatX(CurrentDirectory, path, flags, BasicStats, out var facts) != 0)
            return "cannot be inspected";
        isLink = (facts.Mode & TypeMask) == SymbolicLink;
        if (!isLink && (facts.Mode & TypeMask) != RegularFile)
            return "is not a regular file";
        if (facts.User != 0 && facts.User != EffectiveUser())
            return string.Create(CultureInfo.InvariantCulture, $"belongs to user {facts.User}, not to you or root");
        if (isLink)
            return null; // the modes of links mean nothing
        if ((facts.Mode & OthersMayWrite) != 0)
            return "can be written by every user";
        // The group of a user alone has no other members on most distributions, and their umask lets it write.
        return (facts.Mode & GroupMayWrite) != 0 && facts.Group != EffectiveGroup()
            ? string.Create(CultureInfo.InvariantCulture, $"can be written by the group {facts.Group}")
            : null;
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();

    [LibraryImport("libc", EntryPoint = "getegid")]
    private static partial uint EffectiveGroup();

    // Not stat(2): its struct differs between processors.
    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, out Facts facts);

    /// <summary><c>struct statx</c> of linux/stat.h.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Facts
    {
        [FieldOffset(20)]
        public uint User;

        [FieldOffset(24)]
        public uint Group;

        [FieldOffset(28)]
        public ushort Mode;
    }
}
