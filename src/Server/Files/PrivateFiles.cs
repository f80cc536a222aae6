using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Server.Files;

internal static partial class PrivateFiles
{
    /// <summary>
    /// From here on nobody but this process's user can read what it creates, whoever creates it: SQLite makes files of
    /// its own.
    /// </summary>
    public static void Enforce() => _ = SetMask(0b000_111_111);

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetMask(uint mask);
}
