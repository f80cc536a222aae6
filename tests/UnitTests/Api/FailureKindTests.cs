using System.Net;
using ZfsSnapshotManager.Client.Upload;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.Api;

public sealed class FailureKindTests
{
    private static readonly ZfsRemoteHost Nas = new("root@nas");

    [Theory]
    [InlineData(408, null, FailureKind.Transient)]
    [InlineData(429, null, FailureKind.Transient)]
    [InlineData(429, "too_many_failures", FailureKind.Transient)]
    [InlineData(429, "too_many_uploads", FailureKind.Server)]
    [InlineData(500, null, FailureKind.Transient)]
    [InlineData(500, "internal_error", FailureKind.Transient)]
    [InlineData(500, "receive_failed", FailureKind.Dataset)]
    [InlineData(500, "object_damaged", FailureKind.Stream)]
    [InlineData(500, "object_missing", FailureKind.Stream)]
    [InlineData(500, "storage_refused", FailureKind.Server)]
    [InlineData(501, "storage_type_unavailable", FailureKind.Server)]
    [InlineData(502, null, FailureKind.Transient)]
    [InlineData(503, "server_stopping", FailureKind.Transient)]
    [InlineData(503, "storage_unavailable", FailureKind.Transient)]
    [InlineData(504, null, FailureKind.Transient)]
    [InlineData(507, "storage_full", FailureKind.Dataset)]
    [InlineData(507, "quota_exceeded", FailureKind.Dataset)]
    [InlineData(422, "part_damaged", FailureKind.Transient)]
    [InlineData(422, "stream_damaged", FailureKind.Stream)]
    [InlineData(400, "upload_broken_off", FailureKind.Transient)]
    [InlineData(400, "bad_request", FailureKind.Dataset)]
    [InlineData(401, "unauthorized", FailureKind.User)]
    [InlineData(404, "not_found", FailureKind.Dataset)]
    [InlineData(409, "upload_replaced", FailureKind.Dataset)]
    [InlineData(409, "base_missing", FailureKind.Dataset)]
    [InlineData(409, "receive_interrupted", FailureKind.Dataset)]
    [InlineData(404, null, FailureKind.Server)]
    [InlineData(413, null, FailureKind.Server)]
    [InlineData(301, null, FailureKind.Server)]
    public void The_kind_of_an_answer_follows_from_its_code_or_its_status(int status, string? code, FailureKind kind) =>
        Assert.Equal(kind, Answer((HttpStatusCode)status, code).Kind);

    [Theory]
    [InlineData(1, "cannot open 'tank/x': dataset does not exist", null, ZfsEnd.Refused)]
    // What zfs send -t ends with, on this machine or another.
    [InlineData(255, "warning: cannot send 'tank/x@s': Input/output error", null, ZfsEnd.Refused)]
    [InlineData(255, "warning: cannot send 'tank/x@s': Input/output error", "nas", ZfsEnd.Refused)]
    [InlineData(255, "Welcome to nas\ncannot resume send: 'tank/x@s' used in the token", "nas", ZfsEnd.Refused)]
    [InlineData(255, "internal error: Invalid argument", "nas", ZfsEnd.Refused)]
    [InlineData(255, "", null, ZfsEnd.Refused)]
    [InlineData(255, "ssh: connect to host nas port 22: Connection refused", "nas", ZfsEnd.Disconnected)]
    [InlineData(255, "root@nas: Permission denied (publickey).", "nas", ZfsEnd.Disconnected)]
    [InlineData(255, "Warning: Permanently added 'nas'.\nTimeout, server nas", "nas", ZfsEnd.Disconnected)]
    [InlineData(255, "", "nas", ZfsEnd.Killed)]
    [InlineData(128 + 9, "", null, ZfsEnd.Killed)]
    [InlineData(128 + 15, "", "nas", ZfsEnd.Killed)]
    [InlineData(128 + 11, "", null, ZfsEnd.Crashed)]
    [InlineData(128 + 6, "", null, ZfsEnd.Crashed)]
    public void Only_words_of_ssh_make_an_exit_code_of_255_a_broken_connection(
        int exitCode,
        string words,
        string? host,
        ZfsEnd end
    )
    {
        var failure = new ZfsException(["send"], exitCode, words, host is null ? null : Nas);

        Assert.Equal(end, failure.End);
        Assert.Equal(end == ZfsEnd.Disconnected ? FailureKind.Transient : FailureKind.Dataset, failure.Kind);
    }

    [Fact]
    public void A_failure_of_this_side_is_not_transient()
    {
        Assert.Equal(FailureKind.Server, new StoredContentMismatchException().Kind);
        Assert.Equal(FailureKind.User, FailureKinds.Of(new OperationCanceledException()));
        Assert.Equal(FailureKind.Stream, FailureKinds.Of(new StreamCombinationException("they do not fit")));
        Assert.Equal(FailureKind.Bug, FailureKinds.Of(new InvalidOperationException()));
    }

    [Fact]
    public void An_interrupted_upload_is_of_the_kind_of_what_interrupted_it()
    {
        var gone = new ApiException(ExitCode.Unreachable, HttpStatusCode.BadGateway, null, "gone", null);
        var refused = new ZfsException(["send"], 1, "warning: cannot send 'tank/x@s': Input/output error");

        Assert.Equal(FailureKind.Transient, new UploadInterruptedException(gone, 0).Kind);
        Assert.Equal(FailureKind.Dataset, new UploadInterruptedException(refused, 0).Kind);
        Assert.Equal(FailureKind.User, new UploadInterruptedException(new OperationCanceledException(), 0).Kind);
    }

    private static ApiException Answer(HttpStatusCode status, string? code)
    {
        if (code is not null)
        {
            var error = new ApiError
            {
                Success = false,
                Message = "no",
                Code = code,
            };
            return ApiException.Of(status, error);
        }

        using var response = new HttpResponseMessage(status);
        return ForeignAnswer.Describe(new Uri("http://server/"), response);
    }
}
