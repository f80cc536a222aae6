using System.Net;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>
/// Tests everything that the store needs of a provider, with small objects below <c>PREFIX.zfs-server-probe/</c> that
/// it removes again: what must work, and what may. About 30 requests (docs/decisions/0014).
/// </summary>
internal sealed partial class S3Probe(S3Connection connection, TimeProvider time)
{
    private readonly S3Settings _settings = connection.Settings;
    private readonly List<ProbeFinding> _findings = [];
    private bool _deletesVersions;

    /// <summary>The findings, in order.</summary>
    public IReadOnlyList<ProbeFinding> Findings => _findings;

    /// <exception cref="StorageException">Something that must work does not; the message says what, and what to
    /// do.</exception>
    public async Task<S3Abilities> RunAsync(CancellationToken cancellationToken)
    {
        await S3Credentials.CheckAsync(_settings, cancellationToken);
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
        var version = (await PutAsync(key, content, conditional: false, cancellationToken)).VersionId;
        var middle = await GetAsync(key, 100, 299, cancellationToken);
        Must(
            "write and read back",
            middle.AsSpan().SequenceEqual(content.AsSpan(100, 200)),
            "what is read by range is not what was written"
        );
        Must("list", await ListsAsync(key, cancellationToken), "an object that was just written is not listed");

        await CheckMissingAsync(key + ".missing", cancellationToken);
        _deletesVersions = version is { Length: > 0 } && await TryVersionsAsync(content, cancellationToken);
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
        return new S3Abilities(conditional, completes, noticed, md5, _deletesVersions);
    }

    /// <summary>S3 tells a key that may not list that a missing object is forbidden.</summary>
    private async Task CheckMissingAsync(string key, CancellationToken cancellationToken)
    {
        var fault = StorageFault.Failed;
        try
        {
            await connection.SendAsync(
                $"look for {key}",
                (s3, attempt) =>
                    s3.GetObjectMetadataAsync(
                        new GetObjectMetadataRequest { BucketName = _settings.Bucket, Key = key },
                        attempt.Token
                    ),
                cancellationToken
            );
        }
        catch (StorageException e) when (e.Fault is StorageFault.Missing or StorageFault.Refused)
        {
            fault = e.Fault;
        }

        Must(
            "notice that an object does not exist",
            fault == StorageFault.Missing,
            "S3 answers 403 for an object that does not exist; give the key the right to list the bucket "
                + "(AWS: s3:ListBucket, Backblaze B2: listBuckets and listFiles)"
        );
    }

    /// <summary>Of a bucket that keeps versions.</summary>
    private async Task<bool> TryVersionsAsync(byte[] content, CancellationToken cancellationToken)
    {
        var key = $"{_settings.Prefix}{ReservedKeys.ProbePrefix}{Guid.NewGuid():N}.version";
        var deletes = true;
        try
        {
            var put = await PutAsync(key, content, conditional: false, cancellationToken);
            await DeleteAsync(key, cancellationToken, put.VersionId);
            deletes = (await ListVersionsAsync(key, cancellationToken)).Count == 0;
        }
        catch (StorageException e) when (e.Fault == StorageFault.Refused)
        {
            deletes = false;
        }

        const string without =
            "the bucket keeps versions: what is deleted is only hidden, and charged. Allow s3:ListBucketVersions and "
            + "s3:DeleteObjectVersion, or set a lifecycle rule that expires noncurrent versions";
        if (_settings.ObjectLock is null)
            May("delete versions", deletes, without);
        else
            Must("delete versions", deletes, without);
        return deletes;
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
