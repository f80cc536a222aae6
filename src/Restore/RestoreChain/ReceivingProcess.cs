using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// A <c>zfs receive</c> that outlives the restore that was killed: it notes down what it received before it ends, and
/// until then ZFS lets nobody continue.
/// </summary>
internal static class ReceivingProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(0.2);

    /// <exception cref="OperationException">It does not end: another restore is at work.</exception>
    public static async Task WaitForEndAsync(ZfsHost zfs, DatasetName dataset, CancellationToken cancellationToken)
    {
        if (zfs.Remote is not null)
            return; // its processes are not seen from here; ZFS says 'is busy'
        var start = TimeProvider.System.GetTimestamp();
        while (IsThere(dataset))
        {
            if (TimeProvider.System.GetElapsedTime(start) > Patience)
                throw new OperationException(
                    ExitCode.Conflict,
                    $"Another restore is receiving into {dataset}.",
                    "Let it end, or stop it, and try again."
                );
            await Task.Delay(Pause, cancellationToken);
        }
    }

    private static bool IsThere(DatasetName dataset) =>
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
            return false; // it has ended, or is not ours to look at
        }
    }
}
