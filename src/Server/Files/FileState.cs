using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Server.Files;

/// <summary>
/// Identifies a version of a file. Size and modification time alone miss a change within one tick of the file system's
/// clock. The inode, which an atomic replacement changes, and the inode's change time, which cannot be set, reveal it.
/// </summary>
internal readonly partial record struct FileState(
    ulong Device,
    ulong Mount,
    ulong Inode,
    ulong Size,
    DateTimeOffset Written,
    DateTimeOffset Changed,
    FileRights Rights
)
{
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const uint BasicStats = 0x7ff; // STATX_BASIC_STATS
    private const uint MountId = 0x1000; // STATX_MNT_ID
    private const int NanosecondsPerTick = 100;
    private const int Permissions = 0xfff; // 07777

    /// <returns>Null if the file does not exist or cannot be inspected.</returns>
    public static FileState? Of(string path)
    {
        if (StatX(CurrentDirectory, path, 0, BasicStats | MountId, out var facts) != 0)
            return null;
        var mount = (facts.Mask & MountId) == 0 ? 0 : facts.Mount; // Linux 5.8 and later have it
        return new FileState(
            ((ulong)facts.DeviceMajor << 32) | facts.DeviceMinor,
            mount,
            facts.Inode,
            facts.Size,
            facts.Written.ToTime(),
            facts.Changed.ToTime(),
            new FileRights(facts.User, facts.Group, (UnixFileMode)(facts.Mode & Permissions))
        );
    }

    /// <summary>
    /// Whether files can be renamed from one directory to the other: even one file system that is mounted twice does
    /// not allow it between its mounts (rename(2)).
    /// </summary>
    public bool IsOnMountOf(FileState other) => (Device, Mount) == (other.Device, other.Mount);

    /// <summary>Whether both are names of one file.</summary>
    public bool IsSameFile(FileState other) => (Device, Inode) == (other.Device, other.Inode);

    /// <summary>
    /// Whether the file was changed so recently that the next change may have the same times: clocks of file systems
    /// have steps of milliseconds.
    /// </summary>
    public bool IsFresh(DateTimeOffset now) => Changed > now - TimeSpan.FromSeconds(1);

    // Not stat(2): its struct differs between processors.
    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, out Facts facts);

    /// <summary><c>struct statx</c> of linux/stat.h.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Facts
    {
        [FieldOffset(0)]
        public uint Mask;

        [FieldOffset(20)]
        public uint User;

        [FieldOffset(24)]
        public uint Group;

        [FieldOffset(28)]
        public ushort Mode;

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

        [FieldOffset(144)]
        public ulong Mount;
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

/// <summary>Who may use a file.</summary>
/// <param name="User">The id of its owner.</param>
/// <param name="Group">The id of its group.</param>
internal readonly record struct FileRights(uint User, uint Group, UnixFileMode Mode)
{
    public bool AreOfRoot => (User, Group) == (0, 0);
}
