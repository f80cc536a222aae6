using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>Stores objects in a bucket: small ones in one request, others as multipart uploads.</summary>
internal sealed partial class S3Store(S3Connection connection, TimeProvider time, ILogger<S3Store> logger)
    : IObjectStore
{
    private const int MaxKeysOfPage = 1000;

    private readonly ConcurrentDictionary<string, bool> _open = new(StringComparer.Ordinal);
    private readonly S3Connection _connection = connection;
    private readonly TimeProvider _time = time;
    private readonly S3Settings _settings = connection.Settings;

    public string Location => $"s3://{_settings.Bucket}/{_settings.Prefix} at {_settings.Endpoint.Authority}";

    public int PartSize => _settings.PartSize;

    public int MaxParts => _settings.MaxParts;

    public DateTimeOffset? LockedUntil => _settings.ObjectLock is { } retention ? _time.GetUtcNow() + retention : null;

    /// <summary>What the provider can do; tested by <see cref="S3Probe"/> before anything is stored.</summary>
    public S3Abilities Abilities { get; set; } = S3Abilities.None;

    public bool MayLackOwner => false;

    /// <summary>The bucket is the user's to create.</summary>
    public void Prepare() { }

    /// <summary>One HEAD for the object that names the catalogue; the server wrote it when it started.</summary>
    public async Task PingAsync(CancellationToken cancellationToken)
    {
        if (await HeadAsync(ReservedKeys.Owner, cancellationToken) is null)
            throw new StorageException(StorageFault.Missing, $"{ReservedKeys.Owner} is not in {Location}.");
    }

    public async Task<IObjectWriter> CreateAsync(
        string key,
        string uploadId,
        bool resumable,
        CancellationToken cancellationToken
    )
    {
        var begun = await _connection.SendAsync(
            $"begin {key}",
            (s3, attempt) =>
                s3.InitiateMultipartUploadAsync(
                    S3Requests.Begin(_settings, FullKey(key), uploadId, LockedUntil),
                    attempt.Token
                ),
            cancellationToken
        );
        _open[begun.UploadId] = true;
        return new S3ObjectWriter(this, key, uploadId, begun.UploadId, resumable);
    }

    public IObjectWriter Reopen(string key, string uploadId, string token) =>
        new S3ObjectWriter(this, key, uploadId, token, resumable: true);

    public async Task AbandonAsync(string key, string token, CancellationToken cancellationToken)
    {
        await AbortAsync(FullKey(key), token, cancellationToken);
        _open.TryRemove(token, out _);
    }

    public async Task PutNewAsync(
        string key,
        ReadOnlyMemory<byte> content,
        string uploadId,
        ObjectKind kind,
        CancellationToken cancellationToken
    )
    {
        if (!Abilities.ConditionalPut)
        {
            var use = await FindUseAsync(key, content.Length, uploadId, cancellationToken);
            if (use == KeyUse.Other)
                throw Exists(key);
            if (use == KeyUse.Own)
                return; // stored by an earlier attempt
        }

        var digest = Md5(content);
        try
        {
            await _connection.SendAsync(
                $"store {key}",
                (s3, attempt) =>
                {
                    var request = S3Requests.Put(_settings, FullKey(key), uploadId, kind, LockedUntil);
                    request.InputStream = attempt.Body(content);
                    request.MD5Digest = digest;
                    request.IfNoneMatch = Abilities.ConditionalPut ? "*" : null;
                    return s3.PutObjectAsync(request, attempt.Token);
                },
                cancellationToken
            );
        }
        catch (StorageException e) when (e.Fault == StorageFault.Exists)
        {
            // An attempt whose response was lost may have stored it.
            if (await FindUseAsync(key, content.Length, uploadId, cancellationToken) != KeyUse.Own)
                throw Exists(key);
        }
    }

    public async Task<ObjectFacts?> FindAsync(string key, CancellationToken cancellationToken)
    {
        var found = await HeadAsync(key, cancellationToken);
        return found is null
            ? null
            : new ObjectFacts(found.ContentLength, found.Metadata[S3Requests.UploadIdName], RetentionOf(found));
    }

    public Task ReadAsync(string key, long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (destination.IsEmpty)
            return Task.CompletedTask;
        return _connection.SendAsync(
            $"give {key} back",
            async (s3, attempt) =>
            {
                var request = new GetObjectRequest
                {
                    BucketName = _settings.Bucket,
                    Key = FullKey(key),
                    ByteRange = new ByteRange(offset, offset + destination.Length - 1),
                };
                using var answer = await GetAsync(s3, request, key, offset, attempt.Token);
                if (answer.ContentLength < destination.Length)
                    throw new StorageException(
                        StorageFault.Missing,
                        $"The object {key} ends after {offset + answer.ContentLength} bytes."
                    );
                await attempt.FillAsync(answer.ResponseStream, destination);
                return true;
            },
            cancellationToken
        );
    }

    public async Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        string? version = null;
        if (_settings.ObjectLock is not null)
        {
            // A bucket with object lock is versioned: a delete without a version only hides the object, and its bytes
            // stay forever.
            if (await HeadAsync(key, cancellationToken) is not { } found)
                return;
            if (RetentionOf(found) is { } until && until > _time.GetUtcNow())
                throw new StorageException(
                    StorageFault.Locked,
                    $"The object {key} is locked until {until:u} and cannot be deleted before."
                );
            version = found.VersionId;
        }

        await _connection.SendAsync(
            $"delete {key}",
            async (s3, attempt) =>
            {
                try
                {
                    await s3.DeleteObjectAsync(
                        new DeleteObjectRequest
                        {
                            BucketName = _settings.Bucket,
                            Key = FullKey(key),
                            VersionId = version,
                        },
                        attempt.Token
                    );
                }
                catch (AmazonS3Exception e) when (S3Errors.IsMissing(e))
                {
                    // AWS answers 204 here; some services do not.
                }

                return true;
            },
            cancellationToken
        );
    }

    public async IAsyncEnumerable<ListedObject> ListAsync(
        string prefix,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        string? next = null;
        do
        {
            var from = next;
            var page = await _connection.SendAsync(
                $"list {_settings.Prefix}{prefix}",
                (s3, attempt) =>
                    s3.ListObjectsV2Async(
                        new ListObjectsV2Request
                        {
                            BucketName = _settings.Bucket,
                            Prefix = FullKey(prefix),
                            MaxKeys = MaxKeysOfPage,
                            ContinuationToken = from,
                        },
                        attempt.Token
                    ),
                cancellationToken
            );
            foreach (var item in page.S3Objects ?? [])
                yield return new ListedObject(item.Key[_settings.Prefix.Length..], item.Size ?? 0);
            next = page.IsTruncated == true ? page.NextContinuationToken : null;
        } while (next is not null);
    }

    public async Task<int> RemoveIncompleteAsync(
        DateTimeOffset begunBefore,
        IReadOnlySet<string> kept,
        CancellationToken cancellationToken
    )
    {
        var (count, keyMarker, idMarker) = (0, (string?)null, (string?)null);
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
            {
                if (
                    _open.ContainsKey(upload.UploadId)
                    || kept.Contains(upload.UploadId)
                    || upload.Initiated >= begunBefore.UtcDateTime
                )
                    continue;
                await AbortAsync(upload.Key, upload.UploadId, cancellationToken);
                count++;
            }

            if (page.IsTruncated != true)
                return count;
            (keyMarker, idMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
        }
    }

    private static StorageException Exists(string key) => new(StorageFault.Exists, $"The object {key} already exists.");

    /// <summary>
    /// Gets an object; a missing object and a wrong range are told apart.
    /// </summary>
    private static async Task<GetObjectResponse> GetAsync(
        AmazonS3Client s3,
        GetObjectRequest request,
        string key,
        long offset,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await s3.GetObjectAsync(request, cancellationToken);
        }
        catch (AmazonS3Exception e) when (S3Errors.IsMissing(e))
        {
            throw new StorageException(StorageFault.Missing, $"The object {key} is not in the store.", e);
        }
        catch (AmazonS3Exception e) when (e.StatusCode == System.Net.HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            throw new StorageException(StorageFault.Missing, $"The object {key} ends before byte {offset}.", e);
        }
    }

    private static DateTimeOffset? RetentionOf(GetObjectMetadataResponse found) =>
        found.ObjectLockRetainUntilDate is { } until ? new DateTimeOffset(until.ToUniversalTime()) : null;

    private Task<GetObjectMetadataResponse?> HeadAsync(string key, CancellationToken cancellationToken) =>
        _connection.SendAsync(
            $"look for {key}",
            async (s3, attempt) =>
            {
                try
                {
                    return await s3.GetObjectMetadataAsync(
                        new GetObjectMetadataRequest { BucketName = _settings.Bucket, Key = FullKey(key) },
                        attempt.Token
                    );
                }
                catch (AmazonS3Exception e) when (S3Errors.IsMissing(e))
                {
                    return null;
                }
            },
            cancellationToken
        );

    private async Task<KeyUse> FindUseAsync(string key, long size, string uploadId, CancellationToken cancellationToken)
    {
        if (await FindAsync(key, cancellationToken) is not { } found)
            return KeyUse.None;
        return found.UploadId == uploadId && found.Size == size ? KeyUse.Own : KeyUse.Other;
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

    /// <summary>Some services (Ceph 16) lose the retention that a multipart upload was created with.</summary>
    private Task<PutObjectRetentionResponse> LockAsync(
        string key,
        DateTimeOffset until,
        CancellationToken cancellationToken
    ) =>
        _connection.SendAsync(
            $"lock {key}",
            (s3, attempt) =>
                s3.PutObjectRetentionAsync(
                    new PutObjectRetentionRequest
                    {
                        BucketName = _settings.Bucket,
                        Key = FullKey(key),
                        Retention = new ObjectLockRetention
                        {
                            Mode = new ObjectLockRetentionMode(_settings.ObjectLockMode),
                            RetainUntilDate = until.UtcDateTime,
                        },
                    },
                    attempt.Token
                ),
            cancellationToken
        );

    private string FullKey(string key) => _settings.Prefix + key;

    /// <summary>
    /// Content-MD5, if S3 requires it (object lock) or nothing else would detect bytes that were changed in transit.
    /// </summary>
    private string? Md5(ReadOnlyMemory<byte> content) =>
        _settings.ObjectLock is not null || !Abilities.NoticesCorruption ? S3Requests.Md5(content.Span) : null;

    private enum KeyUse
    {
        /// <summary>No object has the key.</summary>
        None,

        /// <summary>This upload has stored this very object.</summary>
        Own,

        /// <summary>Another object has the key.</summary>
        Other,
    }

    [LoggerMessage(
        LogLevel.Warning,
        "The unfinished upload of {Key} stays in the bucket until the next clean-up: {Reason}"
    )]
    private partial void LogNotAborted(string key, string reason);
}
