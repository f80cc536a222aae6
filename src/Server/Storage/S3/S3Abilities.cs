namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>What one provider can do, as tested by <see cref="S3Probe"/>.</summary>
/// <param name="ConditionalPut">A PUT with <c>If-None-Match: *</c> does not overwrite.</param>
/// <param name="ConditionalComplete">The same for the completion of a multipart upload.</param>
/// <param name="NoticesCorruption">A body that differs from its signed SHA-256 is refused.</param>
/// <param name="ChecksMd5">A body that differs from its Content-MD5 is refused.</param>
/// <param name="DeletesVersions">The bucket keeps versions, and the key may list and delete them.</param>
internal sealed record S3Abilities(
    bool ConditionalPut,
    bool ConditionalComplete,
    bool NoticesCorruption,
    bool ChecksMd5,
    bool DeletesVersions
)
{
    public static S3Abilities None { get; } =
        new(
            ConditionalPut: false,
            ConditionalComplete: false,
            NoticesCorruption: false,
            ChecksMd5: false,
            DeletesVersions: false
        );
}
