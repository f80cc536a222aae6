using Amazon.S3;
using Amazon.S3.Model;

namespace ZfsSnapshotManager.Server.Storage.S3;

internal sealed partial class S3Store
{
    /// <summary>S3 and the catalogue keep times to the second.</summary>
    public DateTimeOffset? LockedUntil =>
        _settings.ObjectLock is { } retention
            ? DateTimeOffset.FromUnixTimeSeconds((_time.GetUtcNow() + retention).ToUnixTimeSeconds())
            : null;

    /// <summary>
    /// The retention that an object was begun with may be too short: it counts from the beginning of the upload, which
    /// may be days ago. Some services (Ceph 16) lose that of a multipart upload.
    /// </summary>
    public async Task<DateTimeOffset?> LockAsync(string key, DateTimeOffset until, CancellationToken cancellationToken)
    {
        var locked = await FindRetentionAsync(key, cancellationToken);
        if (locked >= until)
            return locked;
        await ExtendAsync(key, until, cancellationToken);
        locked = await FindRetentionAsync(key, cancellationToken);
        if (locked is null || locked < until)
            LogNotLocked(key, until, locked);
        return locked;
    }

    private async Task<DateTimeOffset?> FindRetentionAsync(string key, CancellationToken cancellationToken) =>
        await HeadAsync(key, cancellationToken) is { } found ? RetentionOf(found) : null;

    private static DateTimeOffset? RetentionOf(GetObjectMetadataResponse found) =>
        found.ObjectLockRetainUntilDate is { } until ? new DateTimeOffset(until.ToUniversalTime()) : null;

    private Task<PutObjectRetentionResponse> ExtendAsync(
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

    [LoggerMessage(LogLevel.Warning, "S3 did not lock {Key} until {Wanted}; its retention ends: {Locked}")]
    private partial void LogNotLocked(string key, DateTimeOffset wanted, DateTimeOffset? locked);
}
