using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>
/// After which failures what was received is removed, tried again, or named beside what else was restored.
/// </summary>
public sealed class KeptDataTests
{
    public static TheoryData<Exception, bool> Failures =>
        new()
        {
            { new OperationException(ExitCode.Damaged, "a record has a wrong checksum"), true },
            {
                new ApiException(ExitCode.Damaged, HttpStatusCode.InternalServerError, "object_missing", "x", null),
                true
            },
            { new StreamCombinationException("the token does not fit"), true },
            { new OperationCanceledException(), false },
            { new InvalidOperationException("a bug"), false },
            { new OverflowException("a bug of the progress bar"), false },
            { new IOException("disk full"), false },
            { new OperationException(ExitCode.Unreachable, "away"), false },
            { new OperationException(ExitCode.NoSpace, "full", kind: FailureKind.User), false },
            { new OperationException(ExitCode.Damaged, "another GUID", kind: FailureKind.Bug), false },
            { new ApiException(ExitCode.NotFound, HttpStatusCode.NotFound, "not_found", "rotated away", null), false },
            { new ApiException(ExitCode.AccessDenied, HttpStatusCode.Unauthorized, "unauthorized", "x", null), false },
            { Refusal("destination tank/x has been modified\nsince most recent snapshot"), false },
            { Refusal("dataset is busy"), false },
            { Refusal("pool I/O is currently suspended"), false },
            { Refusal("checksum mismatch or incomplete stream."), false },
        };

    [Theory]
    [MemberData(nameof(Failures))]
    public void Only_a_damaged_backup_makes_what_was_received_of_it_useless(Exception failure, bool useless) =>
        Assert.Equal(useless, KeptData.ProvesDamage(failure));

    [Theory]
    [InlineData("dataset is busy", true, false)]
    [InlineData("pool or dataset is busy", true, false)]
    [InlineData("out of space", false, true)]
    [InlineData("destination tank/x space quota exceeded.", false, true)]
    [InlineData("permission denied", false, false)]
    public void ZFS_says_whether_waiting_or_more_room_helps(string words, bool busy, bool full)
    {
        var refusal = Refusal(words);

        Assert.Equal((busy, full), (refusal.IsBusy, refusal.IsOutOfSpace));
    }

    [Fact]
    public void A_failure_of_one_dataset_spares_the_others_of_a_tree_and_what_would_meet_them_too_does_not()
    {
        Assert.True(TreeFailures.SparesOthers(Refusal("inherited key must be loaded")));
        Assert.True(TreeFailures.SparesOthers(new OperationException(ExitCode.Damaged, "damaged")));
        Assert.True(
            TreeFailures.SparesOthers(
                new ApiException(ExitCode.NotFound, HttpStatusCode.NotFound, "not_found", "rotated away", null)
            )
        );
        Assert.False(TreeFailures.SparesOthers(new OperationCanceledException()));
        Assert.False(TreeFailures.SparesOthers(new InvalidOperationException("a bug")));
        Assert.False(TreeFailures.SparesOthers(new OperationException(ExitCode.Unreachable, "away")));
        Assert.False(
            TreeFailures.SparesOthers(new OperationException(ExitCode.NoSpace, "full", kind: FailureKind.User))
        );
    }

    [Fact]
    public void What_is_missing_of_a_tree_is_named_with_its_reason_and_how_to_finish_without_it()
    {
        var failures = new TreeFailures();
        failures.ThrowIfAny(3);
        failures.Add("tank/a b", new OperationException(ExitCode.Damaged, "it is damaged.", "Send a new one."));
        Assert.Null(failures.FindAbove("tank/a b2"));
        Assert.Equal("tank/a b", failures.FindAbove("tank/a b/c"));
        failures.AddBelow("tank/a b/c", "tank/a b");
        failures.Add("tank/z", Refusal("dataset is busy"));

        var failure = Assert.Throws<OperationException>(() => failures.ThrowIfAny(9));

        Assert.Equal(ExitCode.Damaged, failure.ExitCode);
        Assert.StartsWith("3 of 9 descendant datasets", failure.Message, StringComparison.Ordinal);
        Assert.Contains("\n  tank/a b: it is damaged. Send a new one.", failure.Message, StringComparison.Ordinal);
        Assert.Contains("\n  tank/a b/c: tank/a b is missing", failure.Message, StringComparison.Ordinal);
        Assert.Contains("--exclude 'tank/a b' --exclude 'tank/z'", failure.Remedy, StringComparison.Ordinal);
    }

    private static ZfsException Refusal(string words) => new(["receive"], 1, $"cannot receive: {words}");
}
