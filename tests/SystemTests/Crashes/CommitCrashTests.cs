using System.Net;
using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>
/// Until the commit nothing lists a backup; after the commit nothing loses it: the server is killed at every call by
/// which a commit changes files.
/// </summary>
public sealed class CommitCrashTests
{
    [Fact]
    public async Task A_crash_at_any_call_of_a_commit_leaves_the_backup_complete_or_absent()
    {
        var calls = await RecordAsync(CrashLab.WithBaseAsync);
        await SweepAsync(CrashLab.WithBaseAsync, calls, calls, CrashMoment.Before);
    }

    [Fact]
    public async Task A_crash_right_after_any_call_of_a_commit_leaves_the_backup_complete_or_absent()
    {
        var calls = await RecordAsync(CrashLab.WithBaseAsync);
        // Before the next call is the same moment for the files, so only a soak tests both.
        await SweepAsync(
            CrashLab.WithBaseAsync,
            calls,
            calls.Where(call => CrashSweep.IsSoak || call.Name is "rename" or "sync" or "unlink"),
            CrashMoment.After
        );
    }

    [Fact]
    public async Task A_write_torn_by_a_crash_leaves_the_backup_complete_or_absent()
    {
        var calls = await RecordAsync(CrashLab.WithBaseAsync);
        await SweepAsync(
            CrashLab.WithBaseAsync,
            calls,
            CrashSweep.Sample(calls, 2).Where(call => call.IsWrite),
            CrashMoment.Torn
        );
    }

    [Fact]
    public async Task A_crash_in_a_clients_first_commit_leaves_the_backup_complete_or_absent()
    {
        var calls = await RecordAsync(CrashLab.WithoutBackupsAsync);
        Assert.Contains(calls, call => call.Name == "mkdir");
        // From the manifest on this commit is like any other.
        await SweepAsync(
            CrashLab.WithoutBackupsAsync,
            calls,
            calls.Where(call => CrashSweep.IsSoak || call.Number <= calls.Last(name => name.Name == "rename").Number),
            CrashMoment.Before
        );
    }

    [Fact]
    public async Task A_crash_in_a_commit_with_a_checkpoint_leaves_the_backup_complete_or_absent()
    {
        var calls = await RecordAsync(CrashLab.WithLongLogAsync);
        Assert.Contains(calls, call => call.IsWrite && call.Path.EndsWith("metadata.db", StringComparison.Ordinal));
        // Up to the manifest this commit is like any other.
        var points = CrashSweep
            .Sample(calls, 8)
            .Where(call => CrashSweep.IsSoak || call.Number > calls.Last(name => name.Name == "rename").Number);
        await SweepAsync(CrashLab.WithLongLogAsync, calls, points, CrashMoment.Before);
    }

    [Theory]
    [InlineData(nameof(PowerCutLoss.Everything))]
    [InlineData(nameof(PowerCutLoss.Contents))]
    public async Task A_power_cut_at_any_call_of_a_commit_leaves_the_backup_complete_or_absent(string loss)
    {
        var calls = await RecordAsync(CrashLab.WithoutBackupsAsync);
        var points = CrashSweep
            .Sample(calls, 8)
            .Select(call => new CrashPoint(call.Number, CrashMoment.Before))
            .Append(new CrashPoint(calls.Count, CrashMoment.After));
        await CrashSweep.RunAsync(
            CrashLab.WithoutBackupsAsync,
            points,
            async (lab, point) =>
            {
                var (acknowledged, done) = await lab.CrashAsync(point, lab.SendAsync);
                PowerCut.Apply(done, Enum.Parse<PowerCutLoss>(loss));
                await lab.RecoverAsync(acknowledged);
            },
            point => $"power cut {point} ({calls[point.Call - 1]})"
        );
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_acknowledged_backup_survives_a_kill_right_after_the_answer(bool power)
    {
        await using var lab = await CrashLab.WithoutBackupsAsync();
        var (acknowledged, calls) = await lab.CrashAsync(CrashPoint.None, lab.SendAsync);
        Assert.True(acknowledged);
        await lab.Server.KillAsync();
        if (power)
            PowerCut.Apply(calls, PowerCutLoss.Everything);

        await lab.RecoverAsync(acknowledged);
    }

    [Theory]
    [InlineData("write", "/incoming")]
    [InlineData("rename", ".zfs.gz")]
    [InlineData("rename", ".manifest.json")]
    public async Task A_crash_while_the_server_recovers_from_a_crash_loses_nothing(string name, string file)
    {
        // The first crash: while the object arrives, right after it got its name (rolled back), right after the
        // manifest got its name (finished).
        var calls = await RecordAsync(CrashLab.WithBaseAsync);
        var first = new CrashPoint(
            calls
                .First(call =>
                    call.Name == name
                    && (
                        call.Other.EndsWith(file, StringComparison.Ordinal)
                        || call.TargetFolder.EndsWith(file, StringComparison.Ordinal)
                    )
                )
                .Number,
            CrashMoment.After
        );
        IReadOnlyList<CountedCall> starts;
        await using (var lab = await CrashLab.WithBaseAsync())
        {
            await lab.CrashAsync(first, lab.SendAsync);
            starts = await lab.StartWithCrashAsync(CrashPoint.None);
            CrashSweep.Print($"{first} ({calls[first.Call - 1]}), then a start of {starts.Count} calls");
        }

        await CrashSweep.RunAsync(
            CrashLab.WithBaseAsync,
            CrashSweep.Sample(starts, 3),
            async (lab, call) =>
            {
                var (acknowledged, _) = await lab.CrashAsync(first, lab.SendAsync);
                await lab.StartWithCrashAsync(new CrashPoint(call.Number, CrashMoment.Before));
                await lab.RecoverAsync(acknowledged);
            },
            call => $"{first} ({calls[first.Call - 1]}), then a start with a crash before {call}"
        );
    }

    [Fact]
    public async Task A_crash_while_an_upload_is_aborted_loses_nothing()
    {
        IReadOnlyList<CountedCall> calls;
        await using (var lab = await CrashLab.WithBaseAsync())
        {
            (var acknowledged, calls) = await lab.CrashAsync(CrashPoint.None, lab.AbortAsync);
            Assert.True(acknowledged);
        }

        CrashSweep.Print($"{calls.Count} calls");
        await CrashSweep.RunAsync(
            CrashLab.WithBaseAsync,
            CrashSweep.AllPointsOf(calls),
            async (lab, point) =>
            {
                await lab.CrashAsync(point, lab.AbortAsync);
                await lab.RecoverAsync(acknowledged: false);
            },
            point => $"{point} ({calls[point.Call - 1]})"
        );
    }

    /// <summary>
    /// Any call of a commit may fail once, for lack of space or by a fault of the disk. The next attempt must succeed
    /// as if nothing had happened.
    /// </summary>
    [Theory]
    [InlineData("the client repeats it")]
    [InlineData("the client drops it")]
    [InlineData("the server starts again")]
    public async Task A_call_of_a_commit_that_fails_once_damages_nothing(string next)
    {
        var calls = await RecordAsync(CrashLab.WithBaseAsync);
        await CrashSweep.RunAsync(
            CrashLab.WithBaseAsync,
            // Removing and truncating need no space.
            CrashSweep.Sample(calls, 8).Where(call => call.Name is not ("unlink" or "truncate")),
            async (lab, call) =>
            {
                var (acknowledged, _) = await lab.CrashAsync(
                    new CrashPoint(call.Number, CrashMoment.Fail),
                    lab.SendAsync
                );
                if (next == "the client repeats it")
                {
                    await lab.RepeatAsync();
                    acknowledged = true;
                }
                else if (next == "the client drops it")
                {
                    await lab.AbortAsync();
                    await lab.AssertWholeAsync(acknowledged);
                }

                await lab.RecoverAsync(acknowledged);
            },
            call => $"failing {call}, then {next}"
        );
    }

    [Theory]
    [InlineData(nameof(CrashMoment.Before))]
    [InlineData(nameof(CrashMoment.After))]
    [InlineData(nameof(CrashMoment.Torn))]
    [InlineData(nameof(CrashMoment.Fail))]
    public async Task A_client_that_sends_parts_resumes_after_a_crash_or_a_failure_at_any_call(string moment)
    {
        IReadOnlyList<CountedCall> calls;
        await using (var lab = await CrashLab.WithBaseAsync())
        {
            (var acknowledged, calls) = await lab.CrashAsync(CrashPoint.None, lab.SendInPartsAsync);
            Assert.True(acknowledged);
            await lab.AssertWholeAsync(acknowledged: true);
        }

        var when = Enum.Parse<CrashMoment>(moment);
        CrashSweep.Print($"{calls.Count} calls from the part to the answer");
        await CrashSweep.RunAsync(
            CrashLab.WithBaseAsync,
            CrashSweep
                .Sample(calls, 4)
                .Where(call => when != CrashMoment.Torn || call.IsWrite)
                .Where(call => when != CrashMoment.Fail || call.Name is not ("unlink" or "truncate")),
            async (lab, call) =>
            {
                var (acknowledged, _) = await lab.CrashAsync(new CrashPoint(call.Number, when), lab.SendInPartsAsync);
                if (when == CrashMoment.Fail)
                    Assert.True(await lab.SendInPartsAsync(), "the client could not repeat it");
                await lab.RecoverInPartsAsync(acknowledged || when == CrashMoment.Fail);
            },
            call => $"{moment} {call}"
        );
    }

    [Theory]
    [InlineData(nameof(PowerCutLoss.Everything))]
    [InlineData(nameof(PowerCutLoss.Contents))]
    public async Task A_client_that_sends_parts_resumes_after_a_power_cut_at_any_call(string loss)
    {
        IReadOnlyList<CountedCall> calls;
        await using (var lab = await CrashLab.WithoutBackupsAsync())
            (_, calls) = await lab.CrashAsync(CrashPoint.None, lab.SendInPartsAsync);
        await CrashSweep.RunAsync(
            CrashLab.WithoutBackupsAsync,
            CrashSweep
                .Sample(calls, 8)
                .Select(call => new CrashPoint(call.Number, CrashMoment.Before))
                .Append(new CrashPoint(calls.Count, CrashMoment.After)),
            async (lab, point) =>
            {
                var (acknowledged, done) = await lab.CrashAsync(point, lab.SendInPartsAsync);
                PowerCut.Apply(done, Enum.Parse<PowerCutLoss>(loss));
                await lab.RecoverInPartsAsync(acknowledged);
            },
            point => $"power cut {point} ({calls[point.Call - 1]})"
        );
    }

    [Fact]
    public async Task A_client_is_told_that_the_disk_of_the_catalogue_is_full()
    {
        await using var lab = await CrashLab.WithBaseAsync();
        Answer? asked = null;

        await lab.CrashAsync(new CrashPoint(1, CrashMoment.Full), async () =>
        {
            asked = await lab.Client.AskAsync(
                new JsonObject { ["dataset_name"] = "tank/other", ["compression"] = "none" }
            );
            return false;
        });

        Assert.Equal((HttpStatusCode.InsufficientStorage, "storage_full"), (asked!.Status, asked.Code));
    }

    [Fact]
    public async Task A_disk_that_fills_up_at_any_call_of_a_commit_leaves_the_backup_complete_or_absent()
    {
        var calls = await RecordAsync(CrashLab.WithBaseAsync);
        await SweepAsync(
            CrashLab.WithBaseAsync,
            calls,
            CrashSweep.Sample(calls, 8).Where(call => call.Name is not ("unlink" or "truncate")),
            CrashMoment.Full
        );
    }

    /// <summary>An upload without a crash: the calls from the start of its body to its answer.</summary>
    private static async Task<IReadOnlyList<CountedCall>> RecordAsync(Func<Task<CrashLab>> create)
    {
        await using var lab = await create();
        var (acknowledged, calls) = await lab.CrashAsync(CrashPoint.None, lab.SendAsync);
        Assert.True(acknowledged);
        await lab.AssertWholeAsync(acknowledged: true);
        CrashSweep.Print($"{calls.Count} calls from the start of the body to the answer");
        return calls;
    }

    private static Task SweepAsync(
        Func<Task<CrashLab>> create,
        IReadOnlyList<CountedCall> calls,
        IEnumerable<CountedCall> where,
        CrashMoment moment
    ) =>
        CrashSweep.RunAsync(
            create,
            where.Select(call => new CrashPoint(call.Number, moment)),
            async (lab, point) =>
            {
                var (acknowledged, _) = await lab.CrashAsync(point, lab.SendAsync);
                await lab.RecoverAsync(acknowledged);
            },
            point => $"{point} ({calls[point.Call - 1]})"
        );
}
