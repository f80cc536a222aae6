using System.Globalization;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>One line of the log of crash_at.c: a call that changes files.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Name">create, empty, write, truncate, sync, rename, link, unlink or mkdir.</param>
/// <param name="Path">The file or directory at the moment of the call.</param>
/// <param name="Other">The new name of a rename or link, otherwise empty.</param>
/// <param name="Inode">Of <paramref name="Path"/>; 0 if it did not exist yet.</param>
/// <param name="Size">Of the file before the call.</param>
/// <param name="Offset">Of a write.</param>
/// <param name="Length">Of a write, or the size to which a file is truncated, or 1 if a rename replaces a file.</param>
/// <param name="Result">A number, failed-ERRNO, or how the process ended here.</param>
internal sealed record CountedCall(
    int Number,
    string Name,
    string Path,
    string Other,
    long Inode,
    long Size,
    long Offset,
    long Length,
    string Result
)
{
    public bool Succeeded => Result.Length > 0 && char.IsAsciiDigit(Result[0]);

    /// <summary>The process was killed right after it.</summary>
    public bool IsLast => Result is "killed-before" or "killed-after" or "failed-and-killed" or "torn" or "failed-torn";

    /// <summary>All or part of it was done.</summary>
    public bool TookEffect => Succeeded || Result is "killed-after" or "torn";

    public bool IsWrite => Name == "write";

    public bool IsSync => Name == "sync" && TookEffect;

    /// <summary>The name that the call creates or changes; the new one for a rename.</summary>
    public string Target => Other.Length > 0 ? Other : Path;

    public string TargetFolder => System.IO.Path.GetDirectoryName(Target)!;

    /// <summary>One of the many similar writes of the catalogue's log: a sample of them is enough.</summary>
    public bool IsFrame => IsWrite && Path.EndsWith("-wal", StringComparison.Ordinal);

    public static IReadOnlyList<CountedCall> ReadLog(string file) =>
        File.Exists(file) ? [.. File.ReadLines(file).Select(Parse)] : [];

    public override string ToString() =>
        $"call {Number}, {Name} "
        + $"{System.IO.Path.GetFileName(Path)}{(Other.Length > 0 ? $" to {System.IO.Path.GetFileName(Other)}" : "")}";

    private static CountedCall Parse(string line)
    {
        var fields = line.Split('\t');
        return new CountedCall(
            int.Parse(fields[0], CultureInfo.InvariantCulture),
            fields[1],
            fields[2],
            fields[3],
            ParseNumber(fields[4]),
            ParseNumber(fields[5]),
            ParseNumber(fields[6]),
            ParseNumber(fields[7]),
            fields[8]
        );
    }

    private static long ParseNumber(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
