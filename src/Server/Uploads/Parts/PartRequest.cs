using System.Globalization;
using System.Security.Cryptography;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>What the headers of a request say about its part, before the body is read.</summary>
internal sealed record PartRequest
{
    public const string OffsetHeader = "X-Part-Offset";
    public const string StartHeader = "X-Part-Start";
    public const string EndHeader = "X-Part-End";

    private const string DigestStart = "sha-256=:";

    /// <summary>From 1.</summary>
    public required int Number { get; init; }

    /// <summary>Stored bytes.</summary>
    public required int Size { get; init; }

    /// <summary>Lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Stored bytes of the parts before it.</summary>
    public required long StoredOffset { get; init; }

    /// <summary>State of the stream before the part.</summary>
    public required ParserState Start { get; init; }

    /// <summary>State of the stream after the part, as the client announces it; null if it does not.</summary>
    public required string? End { get; init; }

    /// <param name="part">Its number, from the path, as text.</param>
    /// <param name="maxSize">Stored bytes that a part may have.</param>
    /// <exception cref="RequestException">A header is missing or has an impossible value.</exception>
    public static PartRequest Read(HttpRequest request, string part, int maxSize)
    {
        if (
            !int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            || number is < 1 or > Manifest.MaxParts
        )
            throw RequestException.BadRequest(
                $"The number of a part must be from 1 to {Manifest.MaxParts}.",
                "A longer stream needs larger parts: raise PART_SIZE_MIB or S3_PART_SIZE_MIB of the server."
            );
        var start = ReadStart(request, number);
        return new PartRequest
        {
            Number = number,
            Size = ReadSize(request, maxSize),
            Sha256 = ReadDigest(request),
            StoredOffset = ReadOffset(request, number),
            Start = start,
            End = request.Headers[EndHeader].ToString() is { Length: > 0 } end ? end : null,
        };
    }

    /// <summary>What the catalogue keeps of the part once it is verified.</summary>
    /// <param name="end">State of the stream after the part.</param>
    /// <param name="endChecksum">The stream's checksum; null if the part does not hold its END.</param>
    /// <param name="receipt">What the store returned for it; empty for ZFS.</param>
    public PartRecord ToRecord(ParserState end, Fletcher4? endChecksum, string receipt) =>
        new()
        {
            Number = Number,
            StoredOffset = StoredOffset,
            Size = Size,
            Sha256 = Sha256,
            Receipt = receipt,
            StartState = Start.FormatWithoutBegin(),
            EndState = end.FormatWithoutBegin(),
            EndChecksum = endChecksum?.ToString(),
        };

    /// <summary>Whether a part that is stored is this one: the same bytes at the same place.</summary>
    public bool Matches(PartRecord part) =>
        part.Sha256 == Sha256 && part.StoredOffset == StoredOffset && part.StartState == Start.FormatWithoutBegin();

    private static int ReadSize(HttpRequest request, int maxSize) =>
        request.ContentLength switch
        {
            null => throw new RequestException(
                StatusCodes.Status411LengthRequired,
                "length_required",
                "A part needs a Content-Length."
            ),
            <= 0 => throw RequestException.BadRequest("The part is empty."),
            var length when length > maxSize => throw new RequestException(
                StatusCodes.Status413PayloadTooLarge,
                "part_too_large",
                $"The part has {length} bytes; at most {maxSize} are accepted.",
                "Send smaller parts: POST /upload returns part_size and max_part_size."
            ),
            var length => (int)length,
        };

    /// <summary>RFC 9530. Other digests beside SHA-256 are ignored.</summary>
    private static string ReadDigest(HttpRequest request)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (var entry in request.Headers["Content-Digest"].ToString().Split(',', StringSplitOptions.TrimEntries))
        {
            if (!entry.StartsWith(DigestStart, StringComparison.OrdinalIgnoreCase) || !entry.EndsWith(':'))
                continue;
            if (
                Convert.TryFromBase64String(entry[DigestStart.Length..^1], digest, out var count)
                && count == digest.Length
            )
                return Convert.ToHexStringLower(digest);
        }

        throw RequestException.BadRequest("A part needs a Content-Digest: sha-256=:BASE64: of its bytes.");
    }

    private static long ReadOffset(HttpRequest request, int number)
    {
        var text = request.Headers[OffsetHeader].ToString();
        if (text.Length == 0 && number == 1)
            return 0;
        var known =
            long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var offset)
            && offset < long.MaxValue / 2;
        return known && (offset == 0) == (number == 1)
            ? offset
            : throw RequestException.BadRequest(
                $"{OffsetHeader} must be the number of stored bytes in the parts before this one."
            );
    }

    private static ParserState ReadStart(HttpRequest request, int number)
    {
        var text = request.Headers[StartHeader].ToString();
        if (number == 1)
        {
            if (text.Length > 0 && (!ParserState.TryParse(text, out var first) || first != ParserState.Start))
                throw RequestException.BadRequest($"{StartHeader} of part 1 can only be the start of the stream.");
            return ParserState.Start;
        }

        const string Expected = $"{StartHeader} must be the stream's state before the part, with what its BEGIN said.";
        try
        {
            // Counts that the part would carry past their range are no counts of a stream.
            return
                ParserState.Parse(text)
                    is {
                        Phase: StreamPhase.Snapshot,
                        Snapshot: not null,
                        StreamOffset: < long.MaxValue / 2,
                        RecordCount: < long.MaxValue / 2,
                    } state
                ? state
                : throw RequestException.BadRequest(Expected);
        }
        catch (FormatException e)
        {
            throw RequestException.BadRequest($"{Expected} {e.Message}");
        }
    }
}
