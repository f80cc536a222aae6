using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Server.Files;

/// <summary>
/// By what a changed file is known. Size and time alone miss a change within one tick of the file system's clock; the
/// inode, which an atomic replace changes, and the time of the inode's own last change, which nobody can set, tell
/// more.
/// </summary>
internal readonly partial record struct FileState(
    ulong Device,
    ulong Inode,
    ulong Size,
    DateTimeOffset Written,
    DateTimeOffset Changed
)
{
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const uint BasicStats = 0x7ff; // STATX_BASIC_STATS
    private const int NanosecondsPerTick = 100;

    /// <returns>Null where there is no file, or none that can be looked at.</returns>
    public static FileState? Of(string path) =>
        StatX(CurrentDirectory, path, 0, BasicStats, out var facts) == 0
            ? new FileState(
                ((ulong)facts.DeviceMajor << 32) | facts.DeviceMinor,
                facts.Inode,
                facts.Size,
                facts.Written.ToTime(),
                facts.Changed.ToTime()
            )
            : null;

    /// <summary>
    /// Whether it was changed so lately that the next change may look the same: clocks of file systems go in steps of
    /// milliseconds.
    /// </summary>
    public bool IsFresh(DateTimeOffset now) => Changed > now - TimeSpan.FromSeconds(1);

    // Not stat: its struct differs between processors.
    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, out Facts facts);

    /// <summary><c>struct statx</c> of linux/stat.h.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Facts
    {
        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(96)]
        public TimeStamp Changed;

        [FieldOffset(112)]
        public TimeStamp Written;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeStamp
    {
        public long Seconds;
        public uint Nanoseconds;
        public int Reserved;

        public readonly DateTimeOffset ToTime() =>
            DateTimeOffset.FromUnixTimeSeconds(Seconds).AddTicks(Nanoseconds / NanosecondsPerTick);
    }
}
