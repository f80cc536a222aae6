using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>
/// The requests that create objects, with everything that the settings say about how objects are stored.
/// </summary>
internal static class S3Requests
{
    /// <summary>Metadata of every object: the upload that made it.</summary>
    public const string UploadIdName = "x-amz-meta-upload-id";

    /// <summary>Creates the multipart upload of a stream.</summary>
    /// <param name="key">With the prefix.</param>
    public static InitiateMultipartUploadRequest Begin(
        S3Settings settings,
        string key,
        string uploadId,
        DateTimeOffset? lockedUntil
    )
    {
        var kind = StorageKey.IsManifest(key) ? ObjectKind.Manifest : ObjectKind.Stream; // one of very many parts
        var request = new InitiateMultipartUploadRequest
        {
            BucketName = settings.Bucket,
            Key = key,
            StorageClass = StorageClassOf(settings, kind),
            ContentType = ContentTypeOf(kind),
        };
        request.Metadata.Add(UploadIdName, uploadId);
        (request.ServerSideEncryptionMethod, request.ServerSideEncryptionKeyManagementServiceKeyId) = EncryptionOf(
            settings
        );
        if (lockedUntil is { } until)
            (request.ObjectLockMode, request.ObjectLockRetainUntilDate) = (
                new ObjectLockMode(settings.ObjectLockMode),
                until.UtcDateTime
            );
        return request;
    }

    /// <summary>Stores an object in one request; the caller sets the body.</summary>
    /// <param name="key">With the prefix.</param>
    public static PutObjectRequest Put(
        S3Settings settings,
        string key,
        string uploadId,
        ObjectKind kind,
        DateTimeOffset? lockedUntil
    )
    {
        var request = new PutObjectRequest
        {
            BucketName = settings.Bucket,
            Key = key,
            AutoCloseStream = false,
            // With aws-chunked encoding, some services store the chunk headers as part of the object.
            UseChunkEncoding = false,
            StorageClass = StorageClassOf(settings, kind),
            ContentType = ContentTypeOf(kind),
        };
        request.Metadata.Add(UploadIdName, uploadId);
        (request.ServerSideEncryptionMethod, request.ServerSideEncryptionKeyManagementServiceKeyId) = EncryptionOf(
            settings
        );
        if (lockedUntil is { } until)
            (request.ObjectLockMode, request.ObjectLockRetainUntilDate) = (
                new ObjectLockMode(settings.ObjectLockMode),
                until.UtcDateTime
            );
        return request;
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage(
        "Security",
        "CA5351:Do not use broken cryptographic algorithms",
        Justification = "Content-MD5 is what S3 knows; it guards against accidents, not attackers."
    )]
    public static string Md5(ReadOnlySpan<byte> content) => Convert.ToBase64String(MD5.HashData(content));

    private static string ContentTypeOf(ObjectKind kind) =>
        kind == ObjectKind.Manifest ? "application/json" : "application/octet-stream";

    /// <summary>
    /// Manifests are small and read often: cheap classes cost more for these, and archives cannot be read at once.
    /// </summary>
    private static S3StorageClass? StorageClassOf(S3Settings settings, ObjectKind kind) =>
        kind == ObjectKind.Stream && settings.StorageClass is { } name ? new S3StorageClass(name) : null;

    private static (ServerSideEncryptionMethod? Method, string? KmsKey) EncryptionOf(S3Settings settings) =>
        settings.ServerSideEncryption switch
        {
            null => (null, null),
            "AES256" => (ServerSideEncryptionMethod.AES256, null),
            "aws:kms" => (ServerSideEncryptionMethod.AWSKMS, null),
            var kms => (ServerSideEncryptionMethod.AWSKMS, kms["aws:kms:".Length..]),
        };
}
