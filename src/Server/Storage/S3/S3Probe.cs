using System.Net;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>
/// Tests everything that the store needs of a provider, with small objects below <c>PREFIX.zfs-server-probe/</c> that
/// it removes again: what must work, and what may. About 27 requests (docs/decisions/0014).
/// </summary>
internal sealed class S3Probe(S3Connection connection, TimeProvider time)
{
    private readonly S3Settings _settings = connection.Settings;
    private readonly List<ProbeFinding> _findings = [];

    /// <summary>The findings, in order.</summary>
    public IReadOnlyList<ProbeFinding> Findings => _findings;

    /// <exception cref="StorageException">Something that must work does not; the message says what, and what to
    /// do.</exception>
    public async Task<S3Abilities> RunAsync(CancellationToken cancellationToken)
    {
        await ReachAsync(cancellationToken);
        await RemoveLeftoversAsync(cancellationToken);
        if (_settings.ObjectLock is not null)
            await CheckObjectLockAsync(cancellationToken);

        // With the characters of the server's own keys, and a space.
        var key = $"{_settings.Prefix}{ReservedKeys.ProbePrefix}{Guid.NewGuid():N} 2026-11-24_04:59:49~2.zfs.gz";
        try
        {
            return await TryAsync(key, cancellationToken);
        }
        finally
        {
            await TryRemoveLeftoversAsync();
        }
    }

    private async Task<S3Abilities> TryAsync(string key, CancellationToken cancellationToken)
    {
        var content = RandomNumberGenerator.GetBytes(1000);
        await PutAsync(key, content, conditional: false, cancellationToken);
        var middle = await GetAsync(key, 100, 299, cancellationToken);
        Must(
            "write and read back",
            middle.AsSpan().SequenceEqual(content.AsSpan(100, 200)),
            "what is read by range is not what was written"
        );
        Must("list", await ListsAsync(key, cancellationToken), "an object that was just written is not listed");

        var conditional = await IsRefusedAsync(() => PutAsync(key, content, conditional: true, cancellationToken));
        May(
            "conditional create",
            conditional,
            "the server checks before it writes; let only one server write to this prefix"
        );
        var noticed = await IsRefusedAsync(() =>
            connection.SendCorruptedAsync(
                (s3, attempt) =>
                    s3.PutObjectAsync(
                        Put(key + ".changed", content, conditional: false, md5: null, attempt),
                        attempt.Token
                    ),
                cancellationToken
            )
        );
        May("notices changed bodies by their signature", noticed, "Content-MD5 is sent with every part");
        var md5 =
            noticed
            || await IsRefusedAsync(() =>
                connection.SendDoubtfulAsync(
                    (s3, attempt) =>
                        s3.PutObjectAsync(
                            Put(
                                key + ".changed",
                                content,
                                conditional: false,
                                md5: Convert.ToBase64String(new byte[16]),
                                attempt
                            ),
                            attempt.Token
                        ),
                    cancellationToken
                )
            );
        if (!noticed)
            May(
                "notices changed bodies by Content-MD5",
                md5,
                "a body that is damaged in transit is stored as it arrived; 'zfs-server catalogue check --deep' finds "
                    + "it, use S3_USE_SSL=true"
            );

        var completes = await TryMultipartAsync(key, content, cancellationToken);
        await TryAbortAsync(key, cancellationToken);
        await DeleteAsync(key, cancellationToken);
        Must("delete", !await ListsAsync(key, cancellationToken), "a deleted object is still listed");
        return new S3Abilities(conditional, completes, noticed, md5);
    }

    /// <summary>The first request: it detects wrong addresses, keys, regions and buckets.</summary>
    private async Task ReachAsync(CancellationToken cancellationToken)
    {
        await connection.SendAsync(
            $"open the bucket {_settings.Bucket}",
            (s3, attempt) =>
                s3.ListObjectsV2Async(
                    new ListObjectsV2Request
                    {
                        BucketName = _settings.Bucket,
                        Prefix = _settings.Prefix,
                        MaxKeys = 1,
                    },
                    attempt.Token
                ),
            cancellationToken
        );
        Must("reach the bucket", true, "");
    }

    private async Task CheckObjectLockAsync(CancellationToken cancellationToken)
    {
        var locked = false;
        try
        {
            var found = await connection.SendAsync(
                "say whether the bucket has object lock",
                (s3, attempt) =>
                    s3.GetObjectLockConfigurationAsync(
                        new GetObjectLockConfigurationRequest { BucketName = _settings.Bucket },
                        attempt.Token
                    ),
                cancellationToken
            );
            locked = found.ObjectLockConfiguration?.ObjectLockEnabled == ObjectLockEnabled.Enabled;
        }
        catch (StorageException e) when (e.Fault is not StorageFault.Unavailable)
        {
            // Services without object lock report that in many ways.
        }

        Must(
            "object lock",
            locked,
            "S3_OBJECT_LOCK_DAYS needs a bucket created with object lock; unset it, or use such a bucket"
        );
    }

    private async Task<bool> TryMultipartAsync(string key, byte[] content, CancellationToken cancellationToken)
    {
        var other = key + ".parts";
        await CompleteAsync(other, content, conditional: false, cancellationToken);
        var whole = await GetAsync(other, 0, content.Length - 1, cancellationToken);
        Must("multipart upload", whole.AsSpan().SequenceEqual(content), "what was completed is not what was written");
        var conditional = await IsRefusedAsync(() =>
            CompleteAsync(other, content, conditional: true, cancellationToken)
        );
        May("conditional completion", conditional, "the server checks before it completes");
        return conditional;
    }

    private async Task TryAbortAsync(string key, CancellationToken cancellationToken)
    {
        var other = key + ".aborted";
        // As streams are created: an unsupported storage class, encryption or retention shows here and costs nothing.
        var begun = await connection.SendAsync(
            $"begin {other} with S3_STORAGE_CLASS, S3_SSE and S3_OBJECT_LOCK_DAYS as they are set",
            (s3, attempt) =>
                s3.InitiateMultipartUploadAsync(
                    S3Requests.Begin(_settings, other, "probe", time.GetUtcNow() + _settings.ObjectLock),
                    attempt.Token
                ),
            cancellationToken
        );
        var id = begun.UploadId;
        if (_settings.ServerSideEncryption is not null)
            Must(
                "server-side encryption",
                begun.ServerSideEncryptionMethod?.Value is { Length: > 0 },
                "the provider does not confirm encryption; unset S3_SSE, or use another provider"
            );
        await AbortAsync(other, id, cancellationToken);
        var open = await ListUploadsAsync(cancellationToken);
        Must(
            "abort uploads",
            !open.Any(upload => upload.UploadId == id),
            "an aborted upload is still listed, and would be charged"
        );
    }

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
        if (_settings.ObjectLock is null)
            return;

        // A bucket with object lock keeps versions, and each of them would stay forever.
        var versions = await connection.SendAsync(
            $"list the versions of {_settings.Prefix}{ReservedKeys.ProbePrefix}",
            (s3, attempt) =>
                s3.ListVersionsAsync(
                    new ListVersionsRequest
                    {
                        BucketName = _settings.Bucket,
                        Prefix = _settings.Prefix + ReservedKeys.ProbePrefix,
                    },
                    attempt.Token
                ),
            cancellationToken
        );
        foreach (var version in versions.Versions ?? [])
            await DeleteAsync(version.Key, cancellationToken, version.VersionId);
    }

    /// <summary>Sends a request that a correct service refuses.</summary>
    /// <returns>True if it was refused as a bad request, an unmet condition or a wrong signature.</returns>
    private static async Task<bool> IsRefusedAsync(Func<Task> send)
    {
        try
        {
            await send();
            return false;
        }
        catch (Exception e) when ((e as AmazonS3Exception ?? e.InnerException as AmazonS3Exception) is { } refused)
        {
            return refused.StatusCode
                is HttpStatusCode.PreconditionFailed
                    or HttpStatusCode.BadRequest
                    or HttpStatusCode.Conflict
                    or HttpStatusCode.UnprocessableEntity
                    or HttpStatusCode.Forbidden;
        }
    }

    private void Must(string what, bool works, string remedy)
    {
        _findings.Add(
            new ProbeFinding
            {
                Ability = what,
                Works = works,
                Note = works ? null : remedy,
            }
        );
        if (!works)
            throw new StorageException(
                StorageFault.Refused,
                $"The bucket {_settings.Bucket} at {_settings.Endpoint.Authority} cannot be used. {what}: {remedy}."
            );
    }

    private void May(string what, bool works, string without) =>
        _findings.Add(
            new ProbeFinding
            {
                Ability = what,
                Works = works,
                Note = works ? null : without,
            }
        );
}

/// <summary>One ability of a provider.</summary>
internal sealed record ProbeFinding
{
    public required string Ability { get; init; }

    public required bool Works { get; init; }

    /// <summary>The consequence if it does not work.</summary>
    public required string? Note { get; init; }
}
