using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Audit;

/// <summary>
/// A file of lines that is only appended to, with older ones beside it: 1 is the newest. Every writer holds the lock,
/// so that none writes to a file that another one has just rotated.
/// </summary>
/// <param name="path">The newest file.</param>
/// <param name="limits">How large it gets, and how many old ones are kept.</param>
/// <param name="time">The clock.</param>
internal sealed class AuditFile(string path, AuditLimits limits, TimeProvider time)
{
    /// <summary>Others hold the lock for as long as a sync takes.</summary>
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(10);

    /// <summary>More than one delivery writes at once.</summary>
    private const int TailSize = 1024 * 1024;

    public static string OldFile(string path, int number) => $"{path}.{number}";

    /// <summary>Acquires the lock for writers, and for readers that must see all files as of one moment.</summary>
    public static FileStream AcquireLock(string path) => LockFile.Wait(path + ".lock", LockPatience);

    public FileStream Lock() => AcquireLock(path);

    /// <summary>Appends lines, which are on disk when this returns. The caller holds the lock.</summary>
    /// <param name="lines">With their line ends.</param>
    public void Append(ReadOnlySpan<byte> lines)
    {
        if (
            File.Exists(path)
            && new FileInfo(path).Length is > 0 and var length
            && length + lines.Length > limits.MaxBytes
        )
            Rotate();
        DurableFile.AppendLine(path, lines);
    }

    /// <returns>The end of the newest file that has one.</returns>
    public string ReadTail()
    {
        var newest = File.Exists(path) ? path : OldFile(path, 1);
        if (!File.Exists(newest))
            return "";
        using var file = new FileStream(newest, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Seek(-Math.Min(TailSize, file.Length), SeekOrigin.End);
        using var reader = new StreamReader(file);
        return reader.ReadToEnd();
    }

    private void Rotate()
    {
        var last = 1;
        while (File.Exists(OldFile(path, last)))
            last++;
        // The oldest ones go that are both too many and too old, and those beyond all bounds.
        while (last > limits.MaxFiles && MayGo(last - 1))
            File.Delete(OldFile(path, --last));
        for (var number = last; number > 0; number--)
            File.Move(number == 1 ? path : OldFile(path, number - 1), OldFile(path, number));
        DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);
    }

    private bool MayGo(int number) =>
        number >= limits.MostFiles
        || File.GetLastWriteTimeUtc(OldFile(path, number)) < (time.GetUtcNow() - limits.MinAge).UtcDateTime;
}

/// <param name="MaxBytes">The most bytes of one file.</param>
/// <param name="MaxFiles">How many old files are kept.</param>
/// <param name="MinAge">How long events are kept even if that takes more files.</param>
/// <param name="MostFiles">How many it may take.</param>
internal sealed record AuditLimits(long MaxBytes, int MaxFiles, TimeSpan MinAge, int MostFiles);
