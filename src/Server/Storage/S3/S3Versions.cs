using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>
/// In a bucket that keeps versions (with object lock, on Backblaze B2 always), a delete without a version only hides an
/// object: its bytes stay, and are charged.
/// </summary>
internal sealed partial class S3Store
{
    public async Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        if (!Abilities.DeletesVersions && _settings.ObjectLock is null)
        {
            await DeleteAsync(FullKey(key), version: null, cancellationToken);
            return;
        }

        if (
            await HeadAsync(key, cancellationToken) is { } found
            && RetentionOf(found) is { } until
            && until > _time.GetUtcNow()
        )
            throw new StorageException(
                StorageFault.Locked,
                $"The object {key} is locked until {until:u} and cannot be deleted before."
            );
        // All of them: a request whose answer was lost may have stored it twice.
        await foreach (var version in ListVersionsAsync(key, cancellationToken))
            await DeleteAsync(FullKey(key), version, cancellationToken);
    }

    /// <summary>
    /// Removes what is older than a version: S3 lists the newest first, and what comes before is of another server that
    /// has written since.
    /// </summary>
    /// <param name="written">Null if the store did not say which it is: nothing is removed.</param>
    private async Task RemoveOldVersionsAsync(string key, string? written, CancellationToken cancellationToken)
    {
        if (string.IsNullOrEmpty(written))
            return;
        var isOlder = false;
        try
        {
            await foreach (var version in ListVersionsAsync(key, cancellationToken))
            {
                if (isOlder)
                    await DeleteAsync(FullKey(key), version, cancellationToken);
                else
                    isOlder = version == written;
            }
        }
        catch (StorageException e) when (e.Fault == StorageFault.Refused)
        {
            // One is under a retention: some hundred bytes, until the next start after its end.
        }
    }

    private async IAsyncEnumerable<string> ListVersionsAsync(
        string key,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var fullKey = FullKey(key);
        var (keyMarker, versionMarker) = ((string?)null, (string?)null);
        while (true)
        {
            var (from, after) = (keyMarker, versionMarker);
            var page = await _connection.SendAsync(
                $"list the versions of {key}",
                (s3, attempt) =>
                    s3.ListVersionsAsync(
                        new ListVersionsRequest
                        {
                            BucketName = _settings.Bucket,
                            Prefix = fullKey,
                            KeyMarker = from,
                            VersionIdMarker = after,
                        },
                        attempt.Token
                    ),
                cancellationToken
            );
            foreach (var version in page.Versions ?? [])
            {
                if (version.Key == fullKey)
                    yield return version.VersionId;
            }

            if (page.IsTruncated != true)
                yield break;
            (keyMarker, versionMarker) = (page.NextKeyMarker, page.NextVersionIdMarker);
        }
    }

    private Task<bool> DeleteAsync(string fullKey, string? version, CancellationToken cancellationToken) =>
        _connection.SendAsync(
            $"delete {fullKey}",
            async (s3, attempt) =>
            {
                try
                {
                    await s3.DeleteObjectAsync(
                        new DeleteObjectRequest
                        {
                            BucketName = _settings.Bucket,
                            Key = fullKey,
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
