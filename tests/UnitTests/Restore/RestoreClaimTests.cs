using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.RestoreChain;
using ZfsSnapshotManager.UnitTests.Client.Upload;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class RestoreClaimTests
{
    private static readonly DatasetName Target = DatasetName.Parse("tank/restored");
    private static readonly RunId Own = new("0123abcd", "00000001");
    private static readonly RunId Elsewhere = new("ffffffff", "00000002");

    private readonly ManualTime _time = new();
    private readonly Note _note = new();

    [Theory]
    [InlineData(null)]
    [InlineData("0123abcd-00000009/7")]
    [InlineData("something else")]
    public async Task A_run_that_ended_on_this_host_or_was_never_noted_is_followed_at_once(string? noted)
    {
        _note.Value = noted;

        await TakeAsync();

        Assert.Equal($"{Own}/1", _note.Value);
    }

    [Fact]
    public async Task A_run_on_another_host_that_gives_a_sign_of_life_is_not_followed()
    {
        _note.Value = $"{Elsewhere}/7";
        _note.AfterRead = () => _note.Value = $"{Elsewhere}/8";

        var failure = await Assert.ThrowsAsync<OperationException>(TakeAsync);

        Assert.Equal(ExitCode.Conflict, failure.ExitCode);
        Assert.Contains("Another machine is restoring to tank/restored", failure.Message, StringComparison.Ordinal);
        Assert.Equal($"{Elsewhere}/8", _note.Value);
        Assert.InRange(_time.Now, TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task A_run_on_another_host_that_is_silent_is_followed()
    {
        _note.Value = $"{Elsewhere}/7";

        await TakeAsync();

        Assert.Equal($"{Own}/1", _note.Value);
        Assert.InRange(_time.Now, TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task The_note_grows_while_the_work_lasts()
    {
        var written = new TaskCompletionSource<int>();
        using var claim = NewClaim();
        _note.AfterRead = () =>
        {
            if (_note.Value == $"{Own}/3")
                written.TrySetResult(7);
        };

        Assert.Equal(7, await claim.RunAsync(Own, Target, _ => written.Task, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Work_stops_when_another_restore_has_taken_over()
    {
        using var claim = NewClaim();
        _note.Value = $"{Elsewhere}/1";

        var failure = await Assert.ThrowsAsync<OperationException>(() =>
            claim.RunAsync(
                Own,
                Target,
                async token =>
                {
                    await Task.Delay(Timeout.Infinite, token);
                    return 0;
                },
                TestContext.Current.CancellationToken
            )
        );

        Assert.Contains("has taken tank/restored over", failure.Message, StringComparison.Ordinal);
        Assert.Equal($"{Elsewhere}/1", _note.Value);
    }

    [Fact]
    public async Task A_note_that_fails_for_a_while_neither_ends_the_work_nor_the_notes()
    {
        var written = new TaskCompletionSource<int>();
        using var claim = NewClaim();
        var reads = 0;
        _note.AfterRead = () =>
        {
            reads++;
            if (reads is > 1 and < 4)
                throw new OperationException(ExitCode.Zfs, "The command 'zfs' cannot be started: no memory");
            if (_note.Value == $"{Own}/3")
                written.TrySetResult(reads); // it is read on until the work has noticed
        };

        var needed = await claim.RunAsync(Own, Target, _ => written.Task, TestContext.Current.CancellationToken);

        Assert.InRange(needed, 6, 7);
    }

    private Task TakeAsync() => NewClaim().TakeAsync(Own, Target, _ => { }, TestContext.Current.CancellationToken);

    private RestoreClaim NewClaim() => new(_note, held: null, _time);

    private sealed class Note : IClaimNote
    {
        public string? Value { get; set; }

        public Action? AfterRead { get; set; }

        public Task<string?> ReadAsync(CancellationToken cancellationToken)
        {
            var value = Value;
            AfterRead?.Invoke();
            return Task.FromResult(value);
        }

        public Task WriteAsync(string value, CancellationToken cancellationToken)
        {
            Value = value;
            return Task.CompletedTask;
        }
    }
}
