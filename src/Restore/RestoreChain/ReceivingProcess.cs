using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Waits for a <c>zfs receive</c> that outlives a killed restore: before it ends it records how far it came, and until
/// then ZFS refuses to resume ("dataset is busy").
/// </summary>
internal static class ReceivingProcess
{
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(0.2);

    /// <exception cref="OperationException">It does not end: another restore is running.</exception>
    public static async Task WaitForEndAsync(ZfsHost zfs, DatasetName dataset, CancellationToken cancellationToken)
    {
        if (zfs.Remote is not null)
            return; // processes of another host are invisible here; ZFS refuses with "is busy"
        var start = TimeProvider.System.GetTimestamp();
        while (IsRunning(dataset))
        {
            if (TimeProvider.System.GetElapsedTime(start) > EndTimeout)
                throw new OperationException(
                    ExitCode.Conflict,
                    $"Another restore is receiving into {dataset}.",
                    "Wait for it to finish, or stop it, and try again."
                );
            await Task.Delay(Pause, cancellationToken);
        }
    }

    private static bool IsRunning(DatasetName dataset) =>
        Directory.EnumerateDirectories("/proc").Any(process => IsReceiving(process, dataset));

    private static bool IsReceiving(string process, DatasetName dataset)
    {
        if (!char.IsAsciiDigit(Path.GetFileName(process)[0]))
            return false;
        try
        {
            var arguments = Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(process, "cmdline"))).Split('\0');
            return arguments is [var program, "receive", ..]
                && Path.GetFileName(program) == "zfs"
                && arguments.Any(argument =>
                    argument == dataset.Value || argument.StartsWith($"{dataset}@", StringComparison.Ordinal)
                );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // it has ended, or belongs to another user
        }
    }
}
