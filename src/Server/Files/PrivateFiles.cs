using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Server.Files;

internal static partial class PrivateFiles
{
    /// <summary>
    /// From here on only this process's user can read the files that it creates, also those that SQLite creates.
    /// </summary>
    public static void Enforce() => _ = SetMask(0b000_111_111);

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetMask(uint mask);
}
