using System.Globalization;
using System.Net;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.S3;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>What failures of S3 mean: whether a retry may help, and what to report.</summary>
internal static class S3Errors
{
    /// <summary>
    /// Error codes that a retry may resolve, of AWS and of services that speak its API. The SDK's own list lacks those
    /// of others (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
    /// </summary>
    private static readonly HashSet<string> Transient = new(StringComparer.Ordinal)
    {
        "InternalError",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead", // these two: MinIO
        "SlowDownWrite",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "RequestTimeout",
        "IncompleteBody",
        "OperationAborted",
        "ConditionalRequestConflict", // 409 while another conditional request for the key runs; AWS asks to retry
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "InvalidDigest", // these three: the bytes were changed in transit
        "Busy",
        "XMinioServerNotInitialized",
    };

    private static readonly HashSet<string> Full = new(StringComparer.Ordinal)
    {
        "QuotaExceeded", // Ceph
        "XMinioStorageFull",
        "XMinioAdminBucketQuotaExceeded",
        "InsufficientStorage",
        "StorageLimitExceeded",
        "storage_cap_exceeded", // Backblaze B2
    };

    public static bool IsTransient(Exception e) =>
        e switch
        {
            StorageException => false,
            AmazonServiceException s when Full.Contains(s.ErrorCode ?? "") => false,
            AmazonServiceException s when Transient.Contains(s.ErrorCode ?? "") => true,
            AmazonServiceException
            {
                StatusCode: HttpStatusCode.NotImplemented or HttpStatusCode.InsufficientStorage
            } => false,
            AmazonServiceException
            {
                StatusCode: >= HttpStatusCode.InternalServerError
                    or HttpStatusCode.TooManyRequests
                    or HttpStatusCode.RequestTimeout
            } => true,
            // An untrusted certificate stays untrusted.
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => false,
            TimeoutException or HttpRequestException or IOException or OperationCanceledException => true,
            _ => e.InnerException is { } inner && IsTransient(inner),
        };

    /// <summary>The error code of S3's response; empty if there was none.</summary>
    public static string CodeOf(Exception e) => (e as AmazonS3Exception)?.ErrorCode ?? "";

    public static bool IsMissing(Exception e) =>
        e is AmazonS3Exception { StatusCode: HttpStatusCode.NotFound } s && s.ErrorCode != "NoSuchBucket";

    /// <summary>S3 refuses requests whose time differs from its own by more than 15 minutes.</summary>
    public static bool IsWrongClock(Exception e) => CodeOf(e) is "RequestTimeTooSkewed" or "RequestExpired";

    /// <summary>The failure in one line. It contains no secrets: S3 never returns any.</summary>
    /// <param name="now">This machine's time.</param>
    public static string Describe(Exception e, DateTimeOffset now) =>
        e switch
        {
            AmazonS3Exception s when IsWrongClock(s) =>
                $"{(int)s.StatusCode} {s.ErrorCode} ({DescribeClock(s, now)}; set this server's clock)",
            AmazonS3Exception s => $"{(int)s.StatusCode} {s.ErrorCode}{DescribeMessage(s)}",
            TimeoutException or StorageException => e.Message,
            _ => Innermost(e).Message,
        };

    /// <summary>The failure with its cause, for the log and for the client of the request.</summary>
    /// <param name="tried">How long the request was retried.</param>
    /// <param name="now">This machine's time.</param>
    public static StorageException Explain(
        string what,
        Exception e,
        S3Settings settings,
        TimeSpan tried,
        DateTimeOffset now
    )
    {
        var bucket = $"{settings.Bucket} at {settings.Endpoint.Authority}";
        var code = CodeOf(e);
        var patience = tried < TimeSpan.FromSeconds(1) ? "" : $" (tried for {tried.TotalSeconds:0} s)";
        var (fault, message) = (code, (e as AmazonServiceException)?.StatusCode) switch
        {
            _ when Full.Contains(code) => (StorageFault.Full, $"The bucket {bucket} is full or its quota is used up"),
            (_, HttpStatusCode.InsufficientStorage) => (
                StorageFault.Full,
                $"The object store at {settings.Endpoint.Authority} is full"
            ),
            ("NoSuchBucket", _) => (
                StorageFault.Refused,
                $"The bucket {bucket} does not exist: create it, or correct S3_BUCKET"
            ),
            // Ids of temporary keys begin so (docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
            ("InvalidAccessKeyId" or "InvalidAccessKey", _)
                when settings.Keys is { SessionToken: null, AccessKey: ['A', 'S', 'I', 'A', ..] } => (
                StorageFault.Refused,
                "S3_ACCESS_KEY is a temporary key, which needs S3_SESSION_TOKEN"
            ),
            ("ExpiredToken" or "ExpiredTokenException" or "TokenRefreshRequired", _) => (
                StorageFault.Refused,
                "The temporary credentials for S3 have expired: renew S3_ACCESS_KEY, S3_SECRET_KEY and "
                    + "S3_SESSION_TOKEN, or use credentials that renew themselves (docs/s3.md)"
            ),
            ("InvalidToken", _) => (
                StorageFault.Refused,
                $"The object store at {settings.Endpoint.Authority} does not accept S3_SESSION_TOKEN"
            ),
            ("InvalidAccessKeyId" or "InvalidAccessKey", _) => (
                StorageFault.Refused,
                $"The object store at {settings.Endpoint.Authority} does not know the access key: check S3_ACCESS_KEY"
            ),
            ("SignatureDoesNotMatch", _) => (
                StorageFault.Refused,
                $"The object store at {settings.Endpoint.Authority} does not accept the signature: check S3_SECRET_KEY "
                    + "and S3_REGION"
            ),
            ("RequestTimeTooSkewed" or "RequestExpired", _) => (
                StorageFault.Refused,
                $"The clocks of this server and of {settings.Endpoint.Authority} differ too much"
            ),
            ("AuthorizationHeaderMalformed" or "PermanentRedirect" or "IllegalLocationConstraintException", _)
            or (_, HttpStatusCode.MovedPermanently or HttpStatusCode.TemporaryRedirect) => (
                StorageFault.Refused,
                $"The bucket {bucket} is in another region: set S3_REGION and S3_ENDPOINT to the bucket's"
            ),
            ("InvalidObjectState", _) => (
                StorageFault.Refused,
                "The object is in a storage class that must be restored before it can be read: restore it in "
                    + $"{settings.Bucket} first"
            ),
            (_, HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized) => (
                StorageFault.Refused,
                $"The key S3_ACCESS_KEY has no permission for this in the bucket {bucket}"
            ),
            (_, HttpStatusCode.NotFound) => (StorageFault.Missing, $"It is not in the bucket {bucket}"),
            (_, HttpStatusCode.PreconditionFailed) => (
                StorageFault.Exists,
                $"The key already exists in the bucket {bucket}"
            ),
            _ when Innermost(e) is System.Security.Authentication.AuthenticationException tls
                    && !tls.Message.Contains("certificate", StringComparison.OrdinalIgnoreCase) => (
                StorageFault.Refused,
                $"{settings.Endpoint.Authority} does not speak TLS: set S3_USE_SSL=false, or correct the port in "
                    + "S3_ENDPOINT"
            ),
            _ when Innermost(e) is System.Security.Authentication.AuthenticationException => (
                StorageFault.Refused,
                $"The certificate of {settings.Endpoint.Authority} is not trusted: set S3_CA_FILE, or correct "
                    + "S3_ENDPOINT"
            ),
            _ when IsTransient(e) => (
                StorageFault.Unavailable,
                $"The object store at {settings.Endpoint.Authority} is temporarily unavailable{patience}"
            ),
            _ => (StorageFault.Failed, $"The object store at {settings.Endpoint.Authority} failed"),
        };
        return new StorageException(fault, $"{message}. It did not {what}: {Describe(e, now)}.", e);
    }

    public static bool TryReadDate(string? header, out DateTimeOffset date) =>
        DateTimeOffset.TryParse(header, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out date);

    /// <summary>By the Date header of the response.</summary>
    private static string DescribeClock(AmazonS3Exception e, DateTimeOffset now)
    {
        if (
            !TryReadDate(
                (e.InnerException as HttpErrorResponseException)?.Response?.GetHeaderValue("Date"),
                out var theirs
            )
        )
            return "this server's clock and S3's differ";
        var difference = now - theirs;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"this server's clock is {difference.Duration().TotalMinutes:0} minutes "
                + $"{(difference > TimeSpan.Zero ? "ahead of" : "behind")} S3's, which says {theirs:u}"
        );
    }

    /// <summary>The message in brackets, unless it repeats the code.</summary>
    private static string DescribeMessage(AmazonS3Exception e) =>
        string.IsNullOrWhiteSpace(e.Message) || e.Message == e.ErrorCode ? "" : $" ({e.Message.Trim().TrimEnd('.')})";

    private static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;
}
