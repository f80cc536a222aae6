namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>
/// A rotation deletes a backup completely or not at all, and nothing else: the server is killed at every call by which
/// it changes files.
/// </summary>
public sealed class RotationCrashTests
{
    [Theory]
    [InlineData(nameof(CrashMoment.Before))]
    [InlineData(nameof(CrashMoment.Torn))]
    public async Task A_crash_at_any_call_of_a_rotation_leaves_the_old_backup_complete_or_deleted(string moment)
    {
        IReadOnlyList<CountedCall> calls;
        await using (var lab = await CrashLab.WithOldBackupAsync())
        {
            (var acknowledged, calls) = await lab.CrashAsync(CrashPoint.None, lab.RotateAsync);
            Assert.True(acknowledged);
            Assert.False(await lab.HasOldAsync());
        }

        CrashSweep.Print($"{calls.Count} calls");
        var at = Enum.Parse<CrashMoment>(moment);
        await CrashSweep.RunAsync(
            CrashLab.WithOldBackupAsync,
            at == CrashMoment.Torn
                ? CrashSweep.Sample(calls, 2).Where(call => call.IsWrite)
                : CrashSweep.Sample(calls, 2),
            async (lab, call) =>
            {
                var (rotated, _) = await lab.CrashAsync(new CrashPoint(call.Number, at), lab.RotateAsync);
                await lab.RecoverAsync(acknowledged: false);
                Assert.False(rotated && await lab.HasOldAsync(), "the old backup was deleted and is listed again");
            },
            call => $"{at} {call}"
        );
    }

    /// <summary>What frees space needs some itself: the catalogue keeps a reserve for it.</summary>
    [Fact]
    public async Task On_a_full_disk_a_rotation_still_deletes()
    {
        await using var lab = await CrashLab.WithOldBackupAsync();

        var (rotated, _) = await lab.CrashAsync(new CrashPoint(1, CrashMoment.Tight), lab.RotateAsync);

        Assert.True(rotated);
        Assert.False(await lab.HasOldAsync());
        await lab.AssertWholeAsync(acknowledged: false, verifies: false); // the files of the old backup are deleted too
    }
}
