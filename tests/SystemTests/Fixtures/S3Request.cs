namespace ZfsSnapshotManager.SystemTests.Fixtures;

internal enum S3Kind
{
    Other,
    ListObjects,
    ListMultipartUploads,
    GetObjectLock,
    HeadObject,
    GetObject,
    PutObject,
    DeleteObject,
    CreateMultipart,
    UploadPart,
    CompleteMultipart,
    AbortMultipart,
}

/// <summary>The head of a request to S3, as far as it says what is wanted.</summary>
/// <param name="Path">Unescaped: <c>/BUCKET/KEY</c>.</param>
/// <param name="Headers">Each as <c>Name: value</c>.</param>
internal sealed record S3Request(
    string Method,
    string Path,
    string Query,
    long BodyLength,
    bool Expects,
    S3Kind Kind,
    IReadOnlyList<string> Headers
)
{
    public bool IsManifest => Path.EndsWith(".manifest.json", StringComparison.Ordinal);

    public string? this[string header] => HeaderOf(Headers, header);

    public static S3Request Parse(string head)
    {
        var lines = head.Split("\r\n");
        var words = lines[0].Split(' ');
        var target = words[1].Split('?', 2);
        var (path, query) = (Uri.UnescapeDataString(target[0]), target.Length > 1 ? target[1] : "");
        var length = HeaderOf(lines, "Content-Length") is { } text
            ? long.Parse(text, System.Globalization.CultureInfo.InvariantCulture)
            : 0;
        return new S3Request(
            words[0],
            path,
            query,
            length,
            HeaderOf(lines, "Expect") is not null,
            KindOf(words[0], path.Trim('/').Contains('/', StringComparison.Ordinal), query),
            lines[1..]
        );
    }

    public static string? HeaderOf(IEnumerable<string> lines, string name) =>
        lines.FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)) is { } line
            ? line[(name.Length + 1)..].Trim()
            : null;

    private static S3Kind KindOf(string method, bool hasKey, string query)
    {
        var names = query.Split('&').Select(pair => pair.Split('=')[0]).ToHashSet(StringComparer.Ordinal);
        return (method, hasKey) switch
        {
            ("GET", false) when names.Contains("uploads") => S3Kind.ListMultipartUploads,
            ("GET", false) when names.Contains("object-lock") => S3Kind.GetObjectLock,
            ("GET", false) => S3Kind.ListObjects,
            ("GET", true) => S3Kind.GetObject,
            ("HEAD", true) => S3Kind.HeadObject,
            ("PUT", true) => names.Contains("partNumber") ? S3Kind.UploadPart : S3Kind.PutObject,
            ("POST", true) => names.Contains("uploads") ? S3Kind.CreateMultipart : S3Kind.CompleteMultipart,
            ("DELETE", true) => names.Contains("uploadId") ? S3Kind.AbortMultipart : S3Kind.DeleteObject,
            _ => S3Kind.Other,
        };
    }
}
