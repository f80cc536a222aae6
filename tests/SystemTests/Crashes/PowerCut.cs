namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>What a power cut may lose that a killed process does not.</summary>
internal enum PowerCutLoss
{
    /// <summary>All that was not synced: contents and names.</summary>
    Everything,

    /// <summary>Contents only: the disk got the names first, as file systems that journal names alone do.</summary>
    Contents,
}

/// <summary>
/// Turns the files that a killed process left into those that a power cut at the same moment could have left: it undoes
/// what was not synced, except removals and overwrites, whose old contents are lost.
/// </summary>
internal static class PowerCut
{
    /// <param name="calls">All calls from a moment when everything was synced.</param>
    public static void Apply(IReadOnlyList<CountedCall> calls, PowerCutLoss loss)
    {
        var done = calls.Where(call => call.TookEffect).ToList();
        for (var i = done.Count - 1; i >= 0; i--)
            LoseContents(done, i);
        if (loss == PowerCutLoss.Contents)
            return;
        for (var i = done.Count - 1; i >= 0; i--)
            LoseName(done, i);
    }

    private static void LoseContents(List<CountedCall> done, int index)
    {
        var call = done[index];
        var later = done.Skip(index + 1);
        if (!call.IsWrite || later.Any(sync => sync.IsSync && sync.Inode == call.Inode))
            return;
        var path = later.Aggregate(call.Path, (name, rename) =>
            rename.Name == "rename" && rename.Path == name ? rename.Other : name
        );
        if (!File.Exists(path))
            return;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write);
        if (call.Offset + call.Length > call.Size && file.Length > call.Size)
            file.SetLength(call.Size);
    }

    private static void LoseName(List<CountedCall> done, int index)
    {
        var call = done[index];
        var name = call.Target;
        if (done.Skip(index + 1).Any(sync => sync.IsSync && sync.Path == call.TargetFolder))
            return;
        switch (call.Name)
        {
            case "create" or "link" when File.Exists(name):
                File.Delete(name);
                break;
            case "mkdir" when Directory.Exists(name):
                Directory.Delete(name, recursive: true);
                break;
            case "rename" when File.Exists(name) && call.Length == 0:
                File.Move(name, call.Path);
                break;
        }
    }
}
