using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Restore.Download;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class BackupVerificationTests
{
    private static readonly SnapshotInfo One = Backups.Full(1);
    private static readonly SnapshotInfo Two = Backups.Incremental(2, 1);
    private static readonly SnapshotInfo Orphan = Backups.Incremental(4, 3);

    private readonly HashSet<string> _existing = [One.SnapshotId, Two.SnapshotId, Orphan.SnapshotId];
    private int _lists;
    private bool _isAway;

    [Fact]
    public async Task A_backup_that_was_rotated_meanwhile_is_no_failure()
    {
        _existing.Remove(One.SnapshotId);

        var result = await VerifyAsync(One, Answer(HttpStatusCode.NotFound, "not_found"));

        Assert.Equal((VerifiedState.Deleted, ExitCode.Success), (result.State, result.ExitCode));
        Assert.Equal((true, true, null), (result.Ok, result.Deleted, result.Fault));
        Assert.Equal("deleted meanwhile", result.Describe());
    }

    [Fact]
    public async Task A_backup_that_is_listed_and_not_found_is_a_failure()
    {
        var result = await VerifyAsync(One, Answer(HttpStatusCode.NotFound, "not_found"));

        Assert.Equal((VerifiedState.Failed, ExitCode.NotFound, false), (result.State, result.ExitCode, result.Ok));
        Assert.StartsWith("NOT VERIFIED: ", result.Describe(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(500, "object_missing", nameof(VerifiedState.Damaged))]
    [InlineData(500, "object_damaged", nameof(VerifiedState.Damaged))]
    [InlineData(409, "object_locked", nameof(VerifiedState.Failed))]
    [InlineData(500, "internal_error", nameof(VerifiedState.Failed))]
    [InlineData(500, "storage_refused", nameof(VerifiedState.Failed))]
    public async Task The_failure_of_one_backup_is_a_result(int status, string code, string state) =>
        Assert.Equal(state, (await VerifyAsync(One, Answer((HttpStatusCode)status, code))).State.ToString());

    [Fact]
    public async Task A_backup_without_its_base_is_damaged()
    {
        var result = await VerifyAsync(Orphan, null);

        Assert.Equal((VerifiedState.Damaged, ExitCode.Damaged), (result.State, result.ExitCode));
        Assert.StartsWith("DAMAGED: ", result.Describe(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(503, "storage_unavailable")]
    [InlineData(401, "unauthorized")]
    public Task A_failure_that_every_backup_would_meet_ends_the_run(int status, string code) =>
        Assert.ThrowsAsync<ApiException>(() => VerifyAsync(One, Answer((HttpStatusCode)status, code)));

    [Fact]
    public async Task A_server_that_fails_with_a_backup_and_with_the_list_ends_the_run()
    {
        _isAway = true;

        var failure = await Assert.ThrowsAsync<ApiException>(() =>
            VerifyAsync(One, Answer(HttpStatusCode.InternalServerError, "internal_error"))
        );

        Assert.Equal("internal_error", failure.Code);
    }

    [Fact]
    public async Task The_list_is_fetched_again_once_for_all_that_are_gone()
    {
        _existing.Clear();
        var verification = Create(Answer(HttpStatusCode.NotFound, "not_found"));

        await verification.RunAsync(One);
        await verification.RunAsync(Two);

        Assert.Equal(1, _lists);
    }

    [Fact]
    public async Task Time_grows_with_the_number_of_backups_and_no_faster()
    {
        // In one chain, the worst case: going through it for each of them took minutes.
        List<SnapshotInfo> chain = [Backups.Full(1)];
        for (var number = 2UL; number <= 20_000; number++)
            chain.Add(Backups.Incremental(number, number - 1));
        var list = new BackupList(chain);
        var verification = new BackupVerification(list, _ => Task.FromResult(1L), ListAgainAsync);
        var start = TimeProvider.System.GetTimestamp();

        foreach (var backup in list.Backups)
        {
            var result = await verification.RunAsync(backup);
            Assert.True(result.Ok);
            _ = list.NumberOf(backup);
        }

        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(2));
    }

    private Task<VerifiedBackup> VerifyAsync(SnapshotInfo backup, ApiException? failure) =>
        Create(failure).RunAsync(backup);

    private BackupVerification Create(ApiException? failure) =>
        new(
            new BackupList([One, Two, Orphan]),
            _ => failure is null ? Task.FromResult(7L) : Task.FromException<long>(failure),
            ListAgainAsync
        );

    private Task<IReadOnlySet<string>> ListAgainAsync()
    {
        _lists++;
        if (_isAway)
            throw new OperationException(ExitCode.Unreachable, "away");
        return Task.FromResult<IReadOnlySet<string>>(_existing);
    }

    private static ApiException Answer(HttpStatusCode status, string code) =>
        ApiException.Of(
            status,
            new ApiError
            {
                Success = false,
                Message = "no",
                Code = code,
            }
        );
}
