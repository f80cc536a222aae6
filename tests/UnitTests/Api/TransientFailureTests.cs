using System.Net;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;

namespace ZfsSnapshotManager.UnitTests.Api;

public sealed class TransientFailureTests
{
    [Theory]
    [InlineData(HttpStatusCode.RequestTimeout, null, true)]
    [InlineData(HttpStatusCode.TooManyRequests, null, true)]
    [InlineData(HttpStatusCode.TooManyRequests, "too_many_uploads", false)]
    [InlineData(HttpStatusCode.InternalServerError, "internal_error", true)]
    [InlineData(HttpStatusCode.InternalServerError, "receive_failed", false)]
    [InlineData(HttpStatusCode.BadGateway, null, true)]
    [InlineData(HttpStatusCode.ServiceUnavailable, "server_stopping", true)]
    [InlineData(HttpStatusCode.GatewayTimeout, null, true)]
    [InlineData(HttpStatusCode.UnprocessableEntity, "part_damaged", true)]
    [InlineData(HttpStatusCode.UnprocessableEntity, "stream_damaged", false)]
    [InlineData(HttpStatusCode.Unauthorized, "unauthorized", false)]
    [InlineData(HttpStatusCode.NotFound, "not_found", false)]
    [InlineData(HttpStatusCode.Conflict, "upload_replaced", false)]
    [InlineData(HttpStatusCode.Conflict, "base_missing", false)]
    [InlineData(HttpStatusCode.InsufficientStorage, "storage_full", false)]
    public void Some_answers_to_an_upload_are_transient_and_others_are_not(
        HttpStatusCode status,
        string? code,
        bool transient
    ) => Assert.Equal(transient, TransientFailure.OfUpload(Answer(status, code)));

    [Theory]
    [InlineData(503, "store_unavailable", true)]
    [InlineData(503, "server_busy", true)]
    [InlineData(502, null, true)]
    [InlineData(504, null, true)]
    [InlineData(429, null, true)]
    [InlineData(408, null, true)]
    [InlineData(500, null, true)]
    [InlineData(500, "internal_error", true)]
    [InlineData(500, "object_damaged", false)]
    [InlineData(500, "object_missing", false)]
    [InlineData(500, "storage_refused", false)]
    [InlineData(401, "unauthorized", false)]
    [InlineData(404, "not_found", false)]
    [InlineData(412, null, false)]
    [InlineData(416, null, false)]
    public void Some_answers_to_a_download_are_transient_and_others_are_not(int status, string? code, bool transient) =>
        Assert.Equal(transient, TransientFailure.OfDownload(Answer((HttpStatusCode)status, code)));

    [Fact]
    public void A_failure_of_this_side_is_not_transient()
    {
        Assert.False(TransientFailure.OfUpload(new OperationException(ExitCode.Zfs, "zfs send failed")));
        Assert.False(TransientFailure.OfUpload(new StoredContentMismatchException()));
        Assert.False(TransientFailure.OfUpload(new OperationCanceledException()));
        Assert.False(TransientFailure.OfDownload(new OperationException(ExitCode.Zfs, "zfs receive failed")));
        Assert.False(TransientFailure.OfDownload(new OperationCanceledException()));
    }

    private static ApiException Answer(HttpStatusCode status, string? code) =>
        ApiClient.ToException(
            status,
            code is null
                ? null
                : new ApiError
                {
                    Success = false,
                    Message = "no",
                    Code = code,
                }
        );
}
