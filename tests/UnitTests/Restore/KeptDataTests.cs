using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.RestoreChain;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>
/// After which failures a restore tries again, and names what failed beside what else was restored.
/// </summary>
public sealed class KeptDataTests
{
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
