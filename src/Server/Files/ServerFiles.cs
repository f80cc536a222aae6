using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ZfsSnapshotManager.Server.Files;

/// <summary>
/// Gives what root creates to the server's user, who could not read it otherwise: to the owner of the file that it
/// replaces, or of the directory that it is created in.
/// </summary>
internal static partial class ServerFiles
{
    private static readonly bool IsRoot = EffectiveUser() == 0;

    /// <summary>Gives a new file its owner, before it gets its name.</summary>
    /// <param name="path">The name that it gets; a file that has it may exist.</param>
    public static void GiveAs(SafeFileHandle file, string path)
    {
        if (!IsRoot)
            return;
        // Root's own file in a directory of the server is what an earlier version left there.
        if (FileState.Of(path)?.Rights is not { AreOfRoot: false } replaced)
        {
            GiveToOwnerOf(Path.GetDirectoryName(path)!, file);
            return;
        }

        Give(file, replaced);
        if (replaced.Mode.HasFlag(UnixFileMode.GroupRead)) // such as root's file that the server's group may read
            File.SetUnixFileMode(file, File.GetUnixFileMode(file) | UnixFileMode.GroupRead);
    }

    /// <summary>Gives a file that was just created in a directory to the directory's owner.</summary>
    public static void GiveToOwnerOf(string directory, SafeFileHandle file)
    {
        if (IsRoot && FileState.Of(directory) is { } found)
            Give(file, found.Rights);
    }

    /// <summary>Opens a file for reading and writing, and creates it if it does not exist.</summary>
    /// <param name="share">What other processes may do meanwhile.</param>
    public static FileStream OpenOrCreate(string path, FileShare share)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, share);
        }
        catch (FileNotFoundException)
        {
            Create(path);
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, share);
        }
    }

    /// <summary>Creates an empty file, unless it exists.</summary>
    public static void Create(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite);
            GiveToOwnerOf(Path.GetDirectoryName(path)!, file.SafeFileHandle);
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another process was faster.
        }
    }

    private static void Give(SafeFileHandle file, FileRights owner)
    {
        if (!owner.AreOfRoot && ChangeOwner(file, owner.User, owner.Group) != 0)
            throw new IOException(
                $"A new file cannot be given to user {owner.User}: {Marshal.GetLastPInvokeErrorMessage()}"
            );
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    private static partial int ChangeOwner(SafeFileHandle file, uint user, uint group);
}
