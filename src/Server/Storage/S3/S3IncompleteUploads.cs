using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;

namespace ZfsSnapshotManager.Server.Storage.S3;

internal sealed partial class S3Store
{
    /// <summary>
    /// How long an object that was begun stays noted although no unfinished upload of it is listed: lists may lag, and
    /// an upload may be begun while they are read.
    /// </summary>
    private static readonly TimeSpan NotesKept = TimeSpan.FromDays(1);

    public async Task AbandonAsync(string key, string token, CancellationToken cancellationToken)
    {
        await AbortAsync(FullKey(key), token, cancellationToken);
        _open.TryRemove(token, out _);
    }

    /// <summary>
    /// The bucket may hold uploads of other programs: only those with keys that this catalogue has begun are aborted.
    /// </summary>
    public async Task<int> RemoveIncompleteAsync(
        DateTimeOffset begunBefore,
        IReadOnlySet<string> kept,
        CancellationToken cancellationToken
    )
    {
        var asOf = _time.GetUtcNow();
        var count = 0;
        HashSet<string> left = new(StringComparer.Ordinal);
        await foreach (var upload in ListIncompleteAsync(cancellationToken))
        {
            var key = upload.Key[_settings.Prefix.Length..];
            if (!begunObjects.Contains(key))
                continue;
            if (
                _open.ContainsKey(upload.UploadId)
                || kept.Contains(upload.UploadId)
                || upload.Initiated >= begunBefore.UtcDateTime
            )
            {
                left.Add(key);
                continue;
            }

            await AbortAsync(upload.Key, upload.UploadId, cancellationToken);
            count++;
        }

        begunObjects.Forget(asOf - NotesKept, left);
        return count;
    }

    private async IAsyncEnumerable<MultipartUpload> ListIncompleteAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var (keyMarker, idMarker) = ((string?)null, (string?)null);
        while (true)
        {
            var (key, id) = (keyMarker, idMarker);
            var page = await _connection.SendAsync(
                "list unfinished uploads",
                (s3, attempt) =>
                    s3.ListMultipartUploadsAsync(
                        new ListMultipartUploadsRequest
                        {
                            BucketName = _settings.Bucket,
                            Prefix = _settings.Prefix,
                            KeyMarker = key,
                            UploadIdMarker = id,
                        },
                        attempt.Token
                    ),
                cancellationToken
            );
            foreach (var upload in page.MultipartUploads ?? [])
                yield return upload;
            if (page.IsTruncated != true)
                yield break;
            (keyMarker, idMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
        }
    }

    private Task<bool> AbortAsync(string fullKey, string s3UploadId, CancellationToken cancellationToken) =>
        _connection.SendAsync(
            $"drop the unfinished upload of {fullKey}",
            async (s3, attempt) =>
            {
                try
                {
                    await s3.AbortMultipartUploadAsync(
                        new AbortMultipartUploadRequest
                        {
                            BucketName = _settings.Bucket,
                            Key = fullKey,
                            UploadId = s3UploadId,
                        },
                        attempt.Token
                    );
                }
                catch (AmazonS3Exception e) when (S3Errors.IsMissing(e))
                {
                    // It no longer exists.
                }

                return true;
            },
            cancellationToken
        );
}
