using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ZfsSnapshotManager.ZfsStandIn.State;

/// <summary>A lock that the kernel gives back when its process ends, however that is: flock(2).</summary>
internal sealed partial class FileLock : IDisposable
{
    private const int Shared = 1;
    private const int Exclusive = 2;
    private const int NoWait = 4;

    private readonly SafeFileHandle _file;

    private FileLock(SafeFileHandle file) => _file = file;

    public static FileLock Wait(string path)
    {
        var file = Open(path);
        while (Lock(file, Exclusive) != 0)
        {
            // A signal came.
        }

        return new FileLock(file);
    }

    /// <summary>What a send or receive holds while it is at work.</summary>
    /// <param name="what">What is in use: see <see cref="OfSend"/> and <see cref="OfReceive"/>.</param>
    /// <param name="shared">Several may send one snapshot.</param>
    /// <returns>Null where it is in use.</returns>
    public static FileLock? TryUse(string what, bool shared)
    {
        var file = Open(Path.Combine(StateStore.Directory, what));
        if (Lock(file, (shared ? Shared : Exclusive) | NoWait) == 0)
            return new FileLock(file);
        file.Dispose();
        return null;
    }

    public static bool IsInUse(string what)
    {
        using var free = TryUse(what, shared: false);
        return free is null;
    }

    public static string OfSend(Dataset dataset, Snapshot snapshot) => $"send-{dataset.Guid}-{snapshot.Guid}";

    public static string OfReceive(Dataset dataset) => $"receive-{dataset.Guid}";

    public void Dispose() => _file.Dispose();

    private static SafeFileHandle Open(string path) =>
        File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);

    [LibraryImport("libc", EntryPoint = "flock")]
    private static partial int Lock(SafeFileHandle file, int operation);
}
