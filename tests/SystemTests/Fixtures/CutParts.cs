using System.IO.Compression;
using System.Security.Cryptography;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// A stream that was cut into parts as a client does: whole records, compressed in blocks of their own.
/// </summary>
internal sealed record CutParts(IReadOnlyList<CutPart> Parts, byte[] Stream)
{
    public string Digest => StoredPart.DigestOf(Parts.Select(part => StoredPart.Of(part.Stored)));

    public byte[] Stored => [.. Parts.SelectMany(part => part.Stored)];

    /// <param name="stream">The whole stream.</param>
    /// <param name="partSize">Stored bytes that a part has at least.</param>
    /// <param name="random">How large the blocks become.</param>
    /// <param name="gzip">Or as it is.</param>
    public static CutParts Cut(byte[] stream, int partSize, Random random, bool gzip = true)
    {
        List<CutPart> parts = [];
        var parser = new SendStreamParser();
        var (start, at, offset) = (parser.State, 0, 0L);
        using var stored = new MemoryStream();
        while (at < stream.Length)
        {
            var end = NextBoundary(parser, stream, at, random.Next(1, 200_000));
            Append(stored, stream.AsSpan(at, end - at), gzip);
            at = end;
            if (stored.Length < partSize && at < stream.Length)
                continue;
            parts.Add(new CutPart(parts.Count + 1, offset, stored.ToArray(), start, parser.State));
            (start, offset) = (parser.State, offset + stored.Length);
            stored.SetLength(0);
        }

        return new CutParts(parts, stream);
    }

    /// <summary>The first record boundary at or behind a number of bytes.</summary>
    private static int NextBoundary(SendStreamParser parser, byte[] stream, int from, int least)
    {
        ReadOnlySpan<byte> input = stream.AsSpan(from);
        do
        {
            parser.Read(ref input, out _);
        } while (!parser.IsAtBoundary || (stream.Length - input.Length - from < least && !input.IsEmpty));

        return stream.Length - input.Length;
    }

    private static void Append(MemoryStream stored, ReadOnlySpan<byte> block, bool gzip)
    {
        if (!gzip)
        {
            stored.Write(block);
            return;
        }

        using var member = new GZipStream(stored, CompressionLevel.Fastest, leaveOpen: true);
        member.Write(block);
    }
}

internal sealed record CutPart(int Number, long StoredOffset, byte[] Stored, ParserState Start, ParserState End)
{
    public string ContentDigest => $"sha-256=:{Convert.ToBase64String(SHA256.HashData(Stored))}:";

    /// <summary>The request that brings it.</summary>
    public HttpRequestMessage Request(string uploadId)
    {
        var request = new HttpRequestMessage(HttpMethod.Put, $"upload-stream/{uploadId}/parts/{Number}")
        {
            Content = new ByteArrayContent(Stored),
        };
        request.Headers.Add("Content-Digest", ContentDigest);
        request.Headers.Add("X-Part-Offset", $"{StoredOffset}");
        request.Headers.Add("X-Part-Start", Start.Format());
        request.Headers.Add("X-Part-End", End.FormatWithoutBegin());
        request.Headers.ExpectContinue = true;
        return request;
    }
}
