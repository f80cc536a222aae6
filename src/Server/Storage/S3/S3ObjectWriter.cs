using Amazon.S3;
using Amazon.S3.Model;

namespace ZfsSnapshotManager.Server.Storage.S3;

internal sealed partial class S3Store
{
    /// <summary>
    /// How long the removal of a failed upload may take; the hourly clean-up removes what remains.
    /// </summary>
    private static readonly TimeSpan AbortTime = TimeSpan.FromSeconds(10);

    /// <summary>A multipart upload.</summary>
    private sealed class S3ObjectWriter(S3Store store, string key, string uploadId, string s3UploadId, bool resumable)
        : IObjectWriter
    {
        private bool _completed;

        public string Token => s3UploadId;

        public async Task<WrittenPart> WritePartAsync(
            int number,
            long offset,
            ReadOnlyMemory<byte> content,
            string sha256,
            CancellationToken cancellationToken
        )
        {
            var digest = store.Md5(content);
            var written = await store._connection.SendAsync(
                $"store part {number + 1} of {key}",
                (s3, attempt) =>
                    s3.UploadPartAsync(
                        new UploadPartRequest
                        {
                            BucketName = store._settings.Bucket,
                            Key = store.FullKey(key),
                            UploadId = s3UploadId,
                            PartNumber = number + 1,
                            PartSize = content.Length,
                            InputStream = attempt.Body(content, sha256),
                            UseChunkEncoding = false, // see S3Requests.Put
                            MD5Digest = digest,
                        },
                        attempt.Token
                    ),
                cancellationToken
            );
            return new WrittenPart(content.Length, written.ETag);
        }

        public async Task CompleteAsync(IEnumerable<WrittenPart> parts, CancellationToken cancellationToken)
        {
            if (_completed)
                return;
            WrittenPart[] all = [.. parts];
            var size = all.Sum(part => (long)part.Size);
            // Not every service has conditional completion, and this request costs little. Keys are reserved, so no
            // other upload comes in between.
            if (await store.FindUseAsync(key, size, uploadId, cancellationToken) == KeyUse.Other)
                throw Exists(key);
            try
            {
                await store._connection.SendAsync(
                    $"complete {key}",
                    (s3, attempt) => s3.CompleteMultipartUploadAsync(Completion(all), attempt.Token),
                    cancellationToken
                );
            }
            catch (StorageException e) when (e.Fault is StorageFault.Missing or StorageFault.Exists)
            {
                // The multipart upload no longer exists, or the key does: an attempt whose response was lost may have
                // completed it.
                if (await store.FindUseAsync(key, size, uploadId, cancellationToken) != KeyUse.Own)
                    throw;
            }

            _completed = true;
            store._open.TryRemove(s3UploadId, out _);
            var found = await store.FindAsync(key, cancellationToken);
            if (found?.Size != size)
                throw new StorageException(
                    StorageFault.Failed,
                    $"S3 completed {key} with "
                        + $"{found?.Size.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "no"} bytes; "
                        + $"{size} were stored."
                );
        }

        public async ValueTask DisposeAsync()
        {
            if (_completed || resumable)
                return;
            try
            {
                using var soon = new CancellationTokenSource(AbortTime);
                await store.AbortAsync(store.FullKey(key), s3UploadId, soon.Token);
            }
            catch (Exception e) when (e is StorageException or OperationCanceledException)
            {
                store.LogNotAborted(key, S3Errors.Describe(e, store._time.GetUtcNow()));
            }

            store._open.TryRemove(s3UploadId, out _);
        }

        private CompleteMultipartUploadRequest Completion(IReadOnlyList<WrittenPart> parts) =>
            new()
            {
                BucketName = store._settings.Bucket,
                Key = store.FullKey(key),
                UploadId = s3UploadId,
                PartETags = [.. parts.Select((part, index) => new PartETag(index + 1, part.Receipt))],
                IfNoneMatch = store.Abilities.ConditionalComplete ? "*" : null,
            };
    }
}
