using System.Text.RegularExpressions;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.Server.Configuration;

/// <summary>Where and how the server stores objects in S3; docs/configuration.md is the reference.</summary>
public sealed partial record S3Settings
{
    private const int Mebibyte = 1024 * 1024;

    /// <summary>Scheme, host and port, without a path.</summary>
    public required Uri Endpoint { get; init; }

    /// <summary>Null: the AWS SDK finds credentials elsewhere.</summary>
    public required S3Keys? Keys { get; init; }

    public required string Bucket { get; init; }

    /// <summary>The region that requests are signed for.</summary>
    public required string Region { get; init; }

    /// <summary>Prefix of every key; empty, or ends in a slash.</summary>
    public required string Prefix { get; init; }

    /// <summary>True puts the bucket into the path, false into the host name.</summary>
    public required bool PathStyle { get; init; }

    /// <summary>The class of streams; manifests keep the bucket's default. Null: the bucket's default.</summary>
    public required string? StorageClass { get; init; }

    /// <summary><c>AES256</c>, <c>aws:kms</c> or <c>aws:kms:KEY</c>; null: the bucket's default.</summary>
    public required string? ServerSideEncryption { get; init; }

    /// <summary>Bytes of a part.</summary>
    public required int PartSize { get; init; }

    /// <summary>The most parts of one object.</summary>
    public required int MaxParts { get; init; }

    /// <summary>Parts in memory before uploads and downloads wait for each other.</summary>
    public required int PartsInMemory { get; init; }

    /// <summary>
    /// PEM file with the authorities trusted for the endpoint's certificate; null: the system's.
    /// </summary>
    public required string? CaFile { get; init; }

    /// <summary>How long stored objects cannot be deleted; null: no retention.</summary>
    public required TimeSpan? ObjectLock { get; init; }

    /// <summary><c>GOVERNANCE</c> or <c>COMPLIANCE</c>.</summary>
    public required string ObjectLockMode { get; init; }

    /// <summary>A request that transfers no byte for this long has failed.</summary>
    public required TimeSpan IdleTimeout { get; init; }

    /// <summary>How long a request is retried.</summary>
    public required TimeSpan RetryTime { get; init; }

    /// <returns>Null if S3 is not enabled.</returns>
    public static S3Settings? Read(SettingsReader settings)
    {
        if (!settings.Flag("S3_ENABLED", fallback: false))
            return null;
        var useSsl = settings.Flag("S3_USE_SSL", fallback: true);
        var endpoint = settings.Required("S3_ENDPOINT", text => ParseEndpoint(text, useSsl));
        var lockDays = settings.Number("S3_OBJECT_LOCK_DAYS", 0, 0, 36_500);
        return new S3Settings
        {
            Endpoint = endpoint ?? new Uri("http://localhost"),
            Keys = ReadKeys(settings),
            Bucket = settings.Required("S3_BUCKET", ParseBucket) ?? "",
            Region = settings.Text("S3_REGION") ?? (endpoint is null ? "" : RegionOf(endpoint.Host)),
            Prefix = settings.Optional("S3_PREFIX", ParsePrefix) ?? "",
            PathStyle = settings.Flag(
                "S3_PATH_STYLE",
                fallback: endpoint?.Host.EndsWith(".amazonaws.com", StringComparison.OrdinalIgnoreCase) != true
            ),
            StorageClass = settings.Text("S3_STORAGE_CLASS"),
            ServerSideEncryption = settings.Optional("S3_SSE", ParseEncryption),
            PartSize = Mebibyte * settings.Number("S3_PART_SIZE_MIB", 16, 5, 512),
            MaxParts = settings.Number("S3_MAX_PARTS", 10_000, 2, 10_000),
            PartsInMemory = settings.Number("S3_PARTS_IN_MEMORY", 4, 1, 1000),
            CaFile = settings.Optional("S3_CA_FILE", ParseCaFile),
            ObjectLock = lockDays == 0 ? null : TimeSpan.FromDays(lockDays),
            ObjectLockMode = settings.Optional("S3_OBJECT_LOCK_MODE", ParseLockMode) ?? "GOVERNANCE",
            IdleTimeout = TimeSpan.FromSeconds(settings.Number("S3_IDLE_TIMEOUT", 60, 1, 3600)),
            RetryTime = TimeSpan.FromSeconds(settings.Number("S3_RETRY_TIME", 300, 0, 86_400)),
        };
    }

    private static S3Keys? ReadKeys(SettingsReader settings)
    {
        var token = settings.Text("S3_SESSION_TOKEN");
        if (token is null && settings.Text("S3_ACCESS_KEY") is null && settings.Text("S3_SECRET_KEY") is null)
            return null;
        return new S3Keys(
            settings.Required("S3_ACCESS_KEY"),
            settings.RequiredSecret("S3_SECRET_KEY"),
            token is null ? null : new Secret(token)
        );
    }

    /// <summary>
    /// Providers that sign by region have it in their host names. All others accept any; us-east-1 is the usual one.
    /// </summary>
    public static string RegionOf(string host) =>
        RegionPattern().Match(host) is { Success: true } match
            ? match.Groups["region"].Value.ToLowerInvariant()
            : "us-east-1";

    [GeneratedRegex(
        @"^(s3[.-](?<region>[a-z0-9-]+)\.(amazonaws\.com|backblazeb2\.com|wasabisys\.com|scw\.cloud)"
            + @"|(?<region>[a-z0-9-]+)\.(digitaloceanspaces\.com|linodeobjects\.com|your-objectstorage\.com))$",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking
    )]
    private static partial Regex RegionPattern();

    [GeneratedRegex(@"^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$", RegexOptions.NonBacktracking)]
    private static partial Regex BucketPattern();

    /// <summary>
    /// Accepts <c>host</c>, <c>host:port</c> and URLs; a scheme must not contradict S3_USE_SSL.
    /// </summary>
    private static Uri ParseEndpoint(string text, bool useSsl)
    {
        var scheme = useSsl ? "https" : "http";
        var whole = text.Contains("://", StringComparison.Ordinal) ? text : $"{scheme}://{text}";
        if (
            !Uri.TryCreate(whole, UriKind.Absolute, out var url)
            || url.Host.Length == 0
            || url.PathAndQuery != "/"
            || url.UserInfo.Length > 0
        )
            throw new FormatException("it must look like s3.example.com or s3.example.com:9000");
        if (url.Scheme == scheme)
            return url;
        throw new FormatException(
            $"S3_USE_SSL={(useSsl ? "true" : "false")} means {scheme}, but the address has {url.Scheme}"
        );
    }

    private static string ParseBucket(string text) =>
        BucketPattern().IsMatch(text) ? text : throw new FormatException("it is not a valid bucket name");

    private static string ParsePrefix(string text)
    {
        var prefix = text.Trim('/');
        if (prefix.Length == 0)
            return "";
        var right =
            prefix.Length <= 200
            && prefix.Split('/').All(name => name is not ("" or "." or ".."))
            && prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/');
        return right
            ? prefix + "/"
            : throw new FormatException("it may contain letters, digits, '-', '_', '.' and '/'");
    }

    private static string ParseEncryption(string text) =>
        text is "AES256" or "aws:kms"
        || (text.StartsWith("aws:kms:", StringComparison.Ordinal) && text.Length > "aws:kms:".Length)
            ? text
            : throw new FormatException("it may be AES256, aws:kms or aws:kms:KEY");

    private static string ParseLockMode(string text) =>
        text.ToUpperInvariant() is "GOVERNANCE" or "COMPLIANCE"
            ? text.ToUpperInvariant()
            : throw new FormatException("it may be GOVERNANCE or COMPLIANCE");

    private static string ParseCaFile(string text) =>
        File.Exists(text) ? Path.GetFullPath(text) : throw new FormatException("the file does not exist");
}

/// <param name="AccessKey">The key's id.</param>
/// <param name="SessionToken">Of temporary keys; null for permanent ones.</param>
public sealed record S3Keys(string AccessKey, Secret SecretKey, Secret? SessionToken);
