using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Jobs;
using ZfsSnapshotManager.UnitTests.Rotation;

namespace ZfsSnapshotManager.UnitTests.Server.Jobs;

/// <summary>Who runs a job, and when again, in a real catalogue with a clock set by the test.</summary>
public sealed class JobCatalogueTests : IDisposable
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    private readonly TemporaryFolder _folder = new();
    private readonly SetTime _time = new(History.Now);
    private readonly CatalogueDatabase _database;
    private readonly JobCatalogue _jobs;

    public JobCatalogueTests()
    {
        _database = new CatalogueDatabase(TestSettings.In(_folder));
        _database.Prepare();
        _jobs = new JobCatalogue(_database, _time);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_job_is_claimed_once_and_done_until_it_is_requested_again()
    {
        Assert.Null(_jobs.Claim("one", Lease));
        Request();

        var job = _jobs.Claim("one", Lease)!;
        Assert.Equal("delete/web1", job.Name);
        Assert.Null(_jobs.Claim("two", Lease));
        _jobs.Finish(job, "3 of 3 deleted", next: null);

        Assert.Equal((JobStates.Done, "3 of 3 deleted"), (Find().State, Find().Progress));
        Assert.Null(_jobs.Claim("one", Lease));
        Request();
        Assert.NotNull(_jobs.Claim("two", Lease));
    }

    [Fact]
    public void What_is_requested_while_it_runs_makes_it_run_again()
    {
        Request();
        var job = _jobs.Claim("one", Lease)!;
        Request();

        _jobs.Finish(job, "", next: null);

        Assert.NotNull(_jobs.Claim("one", Lease));
    }

    [Fact]
    public void After_a_failure_a_request_does_not_end_the_pause_and_an_administrator_does()
    {
        Request();
        _jobs.Fail(_jobs.Claim("one", Lease)!, "", "the store is away", _time.GetUtcNow().AddMinutes(10));

        Request();
        Assert.Null(_jobs.Claim("one", Lease));
        Assert.Equal((1, "the store is away"), (Find().Attempts, Find().Error));
        _jobs.Run(JobKinds.Delete, "web1");
        Assert.NotNull(_jobs.Claim("one", Lease));
    }

    [Fact]
    public void What_a_job_postponed_is_shown_and_tried_later_or_with_the_next_request()
    {
        Request();
        _jobs.Finish(_jobs.Claim("one", Lease)!, "", _time.GetUtcNow().AddHours(1), "it is locked");

        Assert.Equal((JobStates.Waiting, 0, "it is locked"), (Find().State, Find().Attempts, Find().Error));
        Assert.Null(_jobs.Claim("one", Lease));
        Request();
        Assert.Null(Find().Error);
        var job = _jobs.Claim("one", Lease)!;
        Request();
        _jobs.Finish(job, "", _time.GetUtcNow().AddHours(1), "it is locked");
        Assert.Null(Find().Error);
        _jobs.Finish(_jobs.Claim("one", Lease)!, "", next: null);
        Assert.Equal(JobStates.Done, Find().State);
    }

    [Fact]
    public void A_cancelled_job_is_nobody_s_and_waits_for_an_administrator()
    {
        Request();
        var job = _jobs.Claim("one", Lease)!;

        _jobs.Cancel(JobKinds.Delete, "web1");

        Assert.False(_jobs.Renew(job, Lease, ""));
        _jobs.Finish(job, "", next: null);
        Request();
        Assert.Null(_jobs.Claim("one", Lease));
        Assert.Equal(JobStates.Cancelled, Find().State);
        _jobs.Run(JobKinds.Delete, "web1");
        Assert.NotNull(_jobs.Claim("one", Lease));
        Assert.Null(_jobs.Run("delete", "nobody"));
    }

    [Fact]
    public void A_job_whose_owner_is_gone_is_taken_over_when_its_lease_ends_or_at_the_next_start()
    {
        Request();
        var lost = _jobs.Claim("one", Lease)!;
        _time.Advance(Lease + TimeSpan.FromSeconds(1));

        Assert.NotNull(_jobs.Claim("two", Lease));
        Assert.False(_jobs.Renew(lost, Lease, ""));
        _jobs.Prepare([]);
        Assert.NotNull(_jobs.Claim("three", Lease));
    }

    [Fact]
    public void A_job_that_was_put_off_by_a_wrong_clock_is_due()
    {
        _time.Jump(TimeSpan.FromDays(400));
        _jobs.Prepare([(JobKinds.Expire, TimeSpan.FromHours(1))]);
        Assert.Null(_jobs.Claim("one", Lease));

        _time.Jump(TimeSpan.FromDays(-400));

        var job = _jobs.Claim("one", Lease)!;
        _jobs.Finish(job, "", _time.GetUtcNow().AddHours(1));
        Assert.Null(_jobs.Claim("one", Lease));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.NotNull(_jobs.Claim("one", Lease));
    }

    [Theory]
    [InlineData(1, 10)]
    [InlineData(2, 20)]
    [InlineData(9, 2560)]
    [InlineData(10, 3600)]
    [InlineData(1_000_000, 3600)]
    public void Pauses_grow_up_to_an_hour(int attempts, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), JobRunner.PauseAfter(attempts));

    private Job Find() => _jobs.Find(JobKinds.Delete, "web1")!;

    private void Request()
    {
        using var connection = _database.Open();
        JobCatalogue.Request(connection, JobKinds.Delete, "web1");
    }
}
