using System.Net;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.Client.Upload;

public sealed class UploadFatesTests
{
    [Theory]
    [InlineData(1, "warning: cannot send 'tank/x@s': Input/output error", nameof(UploadFate.StartOver))]
    [InlineData(255, "warning: cannot send 'tank/x@s': Input/output error", nameof(UploadFate.StartOver))]
    [InlineData(255, "cannot resume send: 'p/x@s' used in the token no longer exists", nameof(UploadFate.StartOver))]
    [InlineData(139, "", nameof(UploadFate.StartOver))]
    // What somebody can change, or has done, says nothing about what is stored.
    [InlineData(255, "cannot send 'tank/x': permission denied", nameof(UploadFate.Keep))]
    [InlineData(255, "cannot resume send: dataset key must be loaded", nameof(UploadFate.Keep))]
    [InlineData(1, "cannot open 'tank/x': pool I/O is currently suspended", nameof(UploadFate.Keep))]
    [InlineData(137, "", nameof(UploadFate.Keep))]
    public void A_send_that_fails_twice_at_one_place_starts_over(int exitCode, string words, string second)
    {
        var failure = new ZfsException(["send", "-t", "1-abc"], exitCode, words);

        Assert.Equal(UploadFate.Keep, UploadFates.Of(failure, isFruitless: false));
        Assert.Equal(second, UploadFates.Of(failure, isFruitless: true).ToString());
    }

    [Theory]
    [InlineData(507, "storage_full", nameof(UploadFate.Keep))]
    [InlineData(507, "quota_exceeded", nameof(UploadFate.Drop))]
    [InlineData(409, "upload_lost", nameof(UploadFate.StartOver))]
    [InlineData(409, "upload_replaced", nameof(UploadFate.Leave))]
    [InlineData(409, "base_missing", nameof(UploadFate.Drop))]
    [InlineData(404, "not_found", nameof(UploadFate.Drop))]
    [InlineData(422, "stream_damaged", nameof(UploadFate.Drop))]
    [InlineData(500, "receive_failed", nameof(UploadFate.Drop))]
    [InlineData(500, "storage_refused", nameof(UploadFate.Keep))]
    [InlineData(503, "storage_unavailable", nameof(UploadFate.Keep))]
    [InlineData(401, "unauthorized", nameof(UploadFate.Keep))]
    [InlineData(502, null, nameof(UploadFate.Keep))]
    [InlineData(404, null, nameof(UploadFate.Keep))] // a proxy that does not know the server
    public void Only_answers_that_prove_an_upload_useless_drop_it(int status, string? code, string fate)
    {
        var error = code is null
            ? null
            : new ApiError
            {
                Success = false,
                Message = "no",
                Code = code,
            };

        using var response = new HttpResponseMessage((HttpStatusCode)status);
        var failure = error is null
            ? ForeignAnswer.Describe(new Uri("http://server/"), response)
            : ApiException.Of((HttpStatusCode)status, error);

        Assert.Equal(fate, UploadFates.Of(failure, isFruitless: false).ToString());
    }

    [Fact]
    public void A_failure_that_nobody_foresaw_drops_nothing()
    {
        Assert.Equal(UploadFate.Keep, UploadFates.Of(new OverflowException(), isFruitless: true));
        Assert.Equal(UploadFate.Keep, UploadFates.Of(new OperationCanceledException(), isFruitless: true));
        Assert.Equal(UploadFate.Drop, UploadFates.Of(new StreamCombinationException("no"), isFruitless: false));
        Assert.Equal(UploadFate.Drop, UploadFates.Of(new StoredContentMismatchException(), isFruitless: false));

        var interrupted = new UploadInterruptedException(new OverflowException("too long"), 1000);

        Assert.Equal((ExitCode.Failure, FailureKind.Bug), (interrupted.ExitCode, interrupted.Kind));
        Assert.Contains("too long", interrupted.Message, StringComparison.Ordinal);
        Assert.Contains("1.0 kB of the stream (1000 bytes) are stored", interrupted.Message, StringComparison.Ordinal);
        Assert.StartsWith("This is a bug of the program", interrupted.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void An_interrupted_upload_has_the_remedy_of_its_cause()
    {
        const string Words = "warning: cannot send 'p25/d@s': Input/output error";
        var cause = new ZfsException(["send", "-t", "1-abc"], 255, Words);

        var remedy = new UploadInterruptedException(cause, 1000).Remedy;

        Assert.Contains("'zpool status -v p25'", remedy, StringComparison.Ordinal);
        Assert.EndsWith("starts over.", remedy, StringComparison.Ordinal);
    }
}
