using Amazon.Runtime;
using Amazon.Runtime.Credentials;
using Amazon.S3;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>
/// How requests are signed: by the keys that are set, with the session token of temporary ones, or by the AWS SDK's own
/// chain (its environment variables and profiles, the role of a container or machine), which renews what expires.
/// </summary>
internal static class S3Credentials
{
    public static AmazonS3Client CreateClient(S3Settings settings, AmazonS3Config config) =>
        settings.Keys switch
        {
            null => new AmazonS3Client(config),
            { SessionToken: null } keys => new AmazonS3Client(
                new BasicAWSCredentials(keys.AccessKey, keys.SecretKey.Reveal()),
                config
            ),
            { SessionToken: { } token } keys => new AmazonS3Client(
                new SessionAWSCredentials(keys.AccessKey, keys.SecretKey.Reveal(), token.Reveal()),
                config
            ),
        };

    /// <summary>Asks the chain once, before the first request: a request would be tried again for minutes.</summary>
    /// <exception cref="StorageException">It has no credentials.</exception>
    public static async Task CheckAsync(S3Settings settings, CancellationToken cancellationToken)
    {
        if (settings.Keys is not null)
            return;
        try
        {
            // The SDK does not say which exceptions these throw: those of sockets, files, JSON and its own occur.
            var found = await Task.Run(
                () => DefaultAWSCredentialsIdentityResolver.GetCredentials(new AmazonS3Config()),
                cancellationToken
            );
            await found.GetCredentialsAsync().WaitAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OutOfMemoryException && !cancellationToken.IsCancellationRequested)
        {
            throw new StorageException(
                StorageFault.Refused,
                "S3_ACCESS_KEY and S3_SECRET_KEY are not set, and the AWS SDK finds no credentials elsewhere "
                    + $"(AWS_ACCESS_KEY_ID, a profile, the role of a container or machine): {e.Message}",
                e
            );
        }
    }
}
