using Amazon.S3;
using Amazon.S3.Model;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>The requests of the probe.</summary>
internal sealed partial class S3Probe
{
    private async Task CompleteAsync(string key, byte[] content, bool conditional, CancellationToken cancellationToken)
    {
        var id = await BeginAsync(key, cancellationToken);
        var part = await connection.SendAsync(
            $"store a part of {key}",
            (s3, attempt) =>
                s3.UploadPartAsync(
                    new UploadPartRequest
                    {
                        BucketName = _settings.Bucket,
                        Key = key,
                        UploadId = id,
                        PartNumber = 1,
                        PartSize = content.Length,
                        InputStream = attempt.Body(content),
                        UseChunkEncoding = false,
                    },
                    attempt.Token
                ),
            cancellationToken
        );
        var request = new CompleteMultipartUploadRequest
        {
            BucketName = _settings.Bucket,
            Key = key,
            UploadId = id,
            PartETags = [new PartETag(1, part.ETag)],
            IfNoneMatch = conditional ? "*" : null,
        };
        await connection.SendAsync(
            $"complete {key}",
            (s3, attempt) => s3.CompleteMultipartUploadAsync(request, attempt.Token),
            cancellationToken
        );
    }

    private async Task<string> BeginAsync(string key, CancellationToken cancellationToken) =>
        (
            await connection.SendAsync(
                $"begin {key}",
                (s3, attempt) =>
                    s3.InitiateMultipartUploadAsync(
                        new InitiateMultipartUploadRequest { BucketName = _settings.Bucket, Key = key },
                        attempt.Token
                    ),
                cancellationToken
            )
        ).UploadId;

    private Task AbortAsync(string key, string id, CancellationToken cancellationToken) =>
        RemoveAsync(
            $"drop the upload of {key}",
            (s3, attempt) =>
                s3.AbortMultipartUploadAsync(
                    new AbortMultipartUploadRequest
                    {
                        BucketName = _settings.Bucket,
                        Key = key,
                        UploadId = id,
                    },
                    attempt.Token
                ),
            cancellationToken
        );

    private Task<PutObjectResponse> PutAsync(
        string key,
        byte[] content,
        bool conditional,
        CancellationToken cancellationToken
    ) =>
        connection.SendAsync(
            $"store {key}",
            (s3, attempt) => s3.PutObjectAsync(Put(key, content, conditional, md5: null, attempt), attempt.Token),
            cancellationToken
        );

    private PutObjectRequest Put(string key, byte[] content, bool conditional, string? md5, S3Attempt attempt) =>
        new()
        {
            BucketName = _settings.Bucket,
            Key = key,
            InputStream = attempt.Body(content),
            AutoCloseStream = false,
            UseChunkEncoding = false,
            IfNoneMatch = conditional ? "*" : null,
            MD5Digest = md5,
        };

    private Task<byte[]> GetAsync(string key, long first, long last, CancellationToken cancellationToken) =>
        connection.SendAsync(
            $"give {key} back",
            async (s3, attempt) =>
            {
                using var answer = await s3.GetObjectAsync(
                    new GetObjectRequest
                    {
                        BucketName = _settings.Bucket,
                        Key = key,
                        ByteRange = new ByteRange(first, last),
                    },
                    attempt.Token
                );
                var content = new byte[last - first + 1];
                await attempt.FillAsync(answer.ResponseStream, content);
                return answer.ContentLength == content.Length ? content : [];
            },
            cancellationToken
        );

    private async Task<bool> ListsAsync(string key, CancellationToken cancellationToken)
    {
        var page = await connection.SendAsync(
            $"list {_settings.Prefix}{ReservedKeys.ProbePrefix}",
            (s3, attempt) =>
                s3.ListObjectsV2Async(
                    new ListObjectsV2Request { BucketName = _settings.Bucket, Prefix = key },
                    attempt.Token
                ),
            cancellationToken
        );
        return page.S3Objects?.Any(item => item.Key == key) == true;
    }

    private async Task<List<MultipartUpload>> ListUploadsAsync(CancellationToken cancellationToken)
    {
        var page = await connection.SendAsync(
            "list unfinished uploads",
            (s3, attempt) =>
                s3.ListMultipartUploadsAsync(
                    new ListMultipartUploadsRequest
                    {
                        BucketName = _settings.Bucket,
                        Prefix = _settings.Prefix + ReservedKeys.ProbePrefix,
                    },
                    attempt.Token
                ),
            cancellationToken
        );
        return page.MultipartUploads ?? [];
    }

    private Task DeleteAsync(string key, CancellationToken cancellationToken, string? version = null) =>
        RemoveAsync(
            $"delete {key}",
            (s3, attempt) =>
                s3.DeleteObjectAsync(
                    new DeleteObjectRequest
                    {
                        BucketName = _settings.Bucket,
                        Key = key,
                        VersionId = version,
                    },
                    attempt.Token
                ),
            cancellationToken
        );

    /// <summary>
    /// What no longer exists counts as removed: an attempt whose response was lost may have removed it.
    /// </summary>
    private async Task RemoveAsync<T>(
        string what,
        Func<AmazonS3Client, S3Attempt, Task<T>> remove,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await connection.SendAsync(what, remove, cancellationToken);
        }
        catch (StorageException e) when (e.Fault == StorageFault.Missing)
        {
            // It no longer exists.
        }
    }

    /// <summary>
    /// What cannot be removed quickly is left for the next probe: the reason why this one failed matters more.
    /// </summary>
    private async Task TryRemoveLeftoversAsync()
    {
        using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            await RemoveLeftoversAsync(soon.Token);
        }
        catch (Exception e) when (e is StorageException or OperationCanceledException)
        {
            // The next probe removes it.
        }
    }

    /// <summary>Removes what this or an earlier, killed probe has left.</summary>
    private async Task RemoveLeftoversAsync(CancellationToken cancellationToken)
    {
        foreach (var upload in await ListUploadsAsync(cancellationToken))
            await AbortAsync(upload.Key, upload.UploadId, cancellationToken);
        var page = await connection.SendAsync(
            $"list {_settings.Prefix}{ReservedKeys.ProbePrefix}",
            (s3, attempt) =>
                s3.ListObjectsV2Async(
                    new ListObjectsV2Request
                    {
                        BucketName = _settings.Bucket,
                        Prefix = _settings.Prefix + ReservedKeys.ProbePrefix,
                    },
                    attempt.Token
                ),
            cancellationToken
        );
        foreach (var item in page.S3Objects ?? [])
            await DeleteAsync(item.Key, cancellationToken);
        if (_settings.ObjectLock is null && !_deletesVersions)
            return;

        // Each of them would stay forever.
        foreach (var version in await ListVersionsAsync(_settings.Prefix + ReservedKeys.ProbePrefix, cancellationToken))
            await DeleteAsync(version.Key, cancellationToken, version.VersionId);
    }

    private async Task<List<S3ObjectVersion>> ListVersionsAsync(string prefix, CancellationToken cancellationToken)
    {
        var page = await connection.SendAsync(
            $"list the versions of {prefix}",
            (s3, attempt) =>
                s3.ListVersionsAsync(
                    new ListVersionsRequest { BucketName = _settings.Bucket, Prefix = prefix },
                    attempt.Token
                ),
            cancellationToken
        );
        return page.Versions ?? [];
    }
}
