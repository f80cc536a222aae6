using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>Stores objects in a bucket: small ones in one request, others as multipart uploads.</summary>
internal sealed partial class S3Store(
    S3Connection connection,
    IBegunObjects begunObjects,
    TimeProvider time,
    ILogger<S3Store> logger
) : IObjectStore
{
    private const int MaxKeysOfPage = 1000;

    private readonly ConcurrentDictionary<string, bool> _open = new(StringComparer.Ordinal);
    private readonly S3Connection _connection = connection;
    private readonly TimeProvider _time = time;
    private readonly S3Settings _settings = connection.Settings;

    public string Location => $"s3://{_settings.Bucket}/{_settings.Prefix} at {_settings.Endpoint.Authority}";

    public int PartSize => _settings.PartSize;

    public int MaxParts => _settings.MaxParts;

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

    /// <summary>The answer to a HEAD has S3's time.</summary>
    public async Task<TimeSpan?> FindClockDifferenceAsync(CancellationToken cancellationToken)
    {
        await PingAsync(cancellationToken);
        return _connection.ClockDifference;
    }

    /// <summary>One HEAD for each part of the prefix.</summary>
    public async Task<string?> FindEnclosingAsync(CancellationToken cancellationToken)
    {
        for (var parent = _settings.Prefix; parent.Length > 0; )
        {
            parent = parent[..(parent.TrimEnd('/').LastIndexOf('/') + 1)];
            try
            {
                if (await HeadFullAsync(parent + ReservedKeys.Owner, cancellationToken) is not null)
                    return $"s3://{_settings.Bucket}/{parent}";
            }
            catch (StorageException e) when (e.Fault == StorageFault.Refused)
            {
                // A key that may use nothing but its own prefix is in nobody's way.
            }
        }

        return null;
    }

    public async Task<IObjectWriter> CreateAsync(
        string key,
        string uploadId,
        bool resumable,
        CancellationToken cancellationToken
    )
    {
        begunObjects.Note(key); // first: an object that is begun and not noted would stay forever
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

    public async Task ReplaceAsync(string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var digest = Md5(content);
        var written = await _connection.SendAsync(
            $"store {key}",
            (s3, attempt) =>
            {
                var request = S3Requests.Put(_settings, FullKey(key), key, ObjectKind.Manifest, lockedUntil: null);
                request.InputStream = attempt.Body(content);
                request.MD5Digest = digest;
                return s3.PutObjectAsync(request, attempt.Token);
            },
            cancellationToken
        );
        if (Abilities.DeletesVersions)
            await RemoveOldVersionsAsync(key, written.VersionId, cancellationToken);
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

    private Task<GetObjectMetadataResponse?> HeadAsync(string key, CancellationToken cancellationToken) =>
        HeadFullAsync(FullKey(key), cancellationToken);

    private Task<GetObjectMetadataResponse?> HeadFullAsync(string fullKey, CancellationToken cancellationToken) =>
        _connection.SendAsync(
            $"look for {fullKey}",
            async (s3, attempt) =>
            {
                try
                {
                    return await s3.GetObjectMetadataAsync(
                        new GetObjectMetadataRequest { BucketName = _settings.Bucket, Key = fullKey },
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
