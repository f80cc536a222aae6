using System.Globalization;
using System.Net;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.S3;
using ZfsSnapshotManager.Server.Configuration;

namespace ZfsSnapshotManager.Server.Storage.S3;

/// <summary>What failures of S3 mean: whether another attempt may help, and what to tell.</summary>
internal static class S3Errors
{
    private static readonly HashSet<string> Transient = new(StringComparer.Ordinal)
    {
        "InternalError",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "RequestTimeout",
        "IncompleteBody",
        "OperationAborted",
        "ConditionalRequestConflict",
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "InvalidDigest", // the bytes were changed on their way
        "Busy",
        "XMinioServerNotInitialized",
    };

    private static readonly HashSet<string> Full = new(StringComparer.Ordinal)
    {
        "QuotaExceeded",
        "XMinioStorageFull",
        "XMinioAdminBucketQuotaExceeded",
        "InsufficientStorage",
        "StorageLimitExceeded",
        "storage_cap_exceeded",
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
            // A wrong certificate stays wrong.
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => false,
            TimeoutException or HttpRequestException or IOException or OperationCanceledException => true,
            _ => e.InnerException is { } inner && IsTransient(inner),
        };

    /// <summary>The code that S3 gave; empty where there was no answer.</summary>
    public static string CodeOf(Exception e) => (e as AmazonS3Exception)?.ErrorCode ?? "";

    public static bool IsMissing(Exception e) =>
        e is AmazonS3Exception { StatusCode: HttpStatusCode.NotFound } s && s.ErrorCode != "NoSuchBucket";

    /// <summary>The condition of a conditional request did not hold.</summary>
    public static bool IsTaken(Exception e) => e is AmazonS3Exception { StatusCode: HttpStatusCode.PreconditionFailed };

    /// <summary>S3 refuses requests whose time differs from its own by more than a quarter of an hour.</summary>
    public static bool IsWrongClock(Exception e) => CodeOf(e) is "RequestTimeTooSkewed" or "RequestExpired";

    /// <summary>In one line, without secrets: S3 never sends any.</summary>
    public static string Describe(Exception e) =>
        e switch
        {
            AmazonS3Exception s when IsWrongClock(s) =>
                $"{(int)s.StatusCode} {s.ErrorCode} ({DescribeClock(s)}; set this server's clock)",
            AmazonS3Exception s => $"{(int)s.StatusCode} "
                + $"{s.ErrorCode}{(string.IsNullOrWhiteSpace(s.Message) || s.Message == s.ErrorCode ? "" : $" ({s.Message.Trim().TrimEnd('.')})")}",
            TimeoutException or StorageException => e.Message,
            _ => Innermost(e).Message,
        };

    /// <summary>The failure in words, for the log and for those who wait for the request.</summary>
    public static StorageException Explain(string what, Exception e, S3Settings settings, TimeSpan tried)
    {
        var place = $"{settings.Bucket} at {settings.Endpoint.Authority}";
        var code = CodeOf(e);
        var patience = tried < TimeSpan.FromSeconds(1) ? "" : $" (tried for {tried.TotalSeconds:0} s)";
        var (fault, message) = (code, (e as AmazonServiceException)?.StatusCode) switch
        {
            _ when Full.Contains(code) => (StorageFault.Full, $"The bucket {place} is full or its quota is used up"),
            (_, HttpStatusCode.InsufficientStorage) => (
                StorageFault.Full,
                $"The object store at {settings.Endpoint.Authority} is full"
            ),
            ("NoSuchBucket", _) => (
                StorageFault.Refused,
                $"There is no bucket {place}: create it, or correct S3_BUCKET"
            ),
            ("InvalidAccessKeyId" or "InvalidAccessKey", _) => (
                StorageFault.Refused,
                $"The object store at {settings.Endpoint.Authority} does not know the access key: check S3_ACCESS_KEY"
            ),
            ("SignatureDoesNotMatch", _) => (
                StorageFault.Refused,
                $"The object store at {settings.Endpoint.Authority} finds the signature wrong: check S3_SECRET_KEY "
                    + "and S3_REGION"
            ),
            ("RequestTimeTooSkewed" or "RequestExpired", _) => (
                StorageFault.Refused,
                $"The clocks of this server and of {settings.Endpoint.Authority} differ too much"
            ),
            ("AuthorizationHeaderMalformed" or "PermanentRedirect" or "IllegalLocationConstraintException", _)
            or (_, HttpStatusCode.MovedPermanently or HttpStatusCode.TemporaryRedirect) => (
                StorageFault.Refused,
                $"The bucket {place} is in another region: set S3_REGION and S3_ENDPOINT to the bucket's"
            ),
            ("InvalidObjectState", _) => (
                StorageFault.Refused,
                "The object is in a storage class that must be thawed before it can be read: restore it in "
                    + $"{settings.Bucket} first"
            ),
            (_, HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized) => (
                StorageFault.Refused,
                $"The key S3_ACCESS_KEY may not do this with the bucket {place}"
            ),
            (_, HttpStatusCode.NotFound) => (StorageFault.Missing, $"It is not in the bucket {place}"),
            (_, HttpStatusCode.PreconditionFailed) => (StorageFault.Exists, $"The key is taken in the bucket {place}"),
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
                $"The object store at {settings.Endpoint.Authority} does not work at the moment{patience}"
            ),
            _ => (StorageFault.Failed, $"The object store at {settings.Endpoint.Authority} failed"),
        };
        return new StorageException(fault, $"{message}. It did not {what}: {Describe(e)}.", e);
    }

    public static bool TryReadDate(string? header, out DateTimeOffset date) =>
        DateTimeOffset.TryParse(header, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out date);

    /// <summary>By the time that every HTTP answer has.</summary>
    private static string DescribeClock(AmazonS3Exception e)
    {
        if (
            !TryReadDate(
                (e.InnerException as HttpErrorResponseException)?.Response?.GetHeaderValue("Date"),
                out var theirs
            )
        )
            return "this server's clock and S3's differ";
        var difference = TimeProvider.System.GetUtcNow() - theirs;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"this server's clock is {difference.Duration().TotalMinutes:0} minutes "
                + $"{(difference > TimeSpan.Zero ? "ahead of" : "behind")} S3's, which says {theirs:u}"
        );
    }

    private static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;
}
