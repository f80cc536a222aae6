using System.Security.Cryptography;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Reads a part into memory and verifies it while it arrives: its digest, its blocks, and its records from the state
/// that its client claims.
/// </summary>
internal static class PartReading
{
    /// <param name="format">How it is compressed.</param>
    /// <param name="content">Has room for the whole part.</param>
    /// <param name="onBegin">Receives the stream's BEGIN if the part contains it; may throw to refuse it.</param>
    /// <exception cref="RequestException">The part is damaged.</exception>
    public static async Task<(ParserState End, Fletcher4? EndChecksum)> RunAsync(
        CompressionFormat format,
        PartRequest request,
        Stream body,
        Memory<byte> content,
        Action<SnapshotStreamInfo> onBegin,
        CancellationToken cancellationToken
    )
    {
        var filled = 0;
        using var stored = new StoredBytesReader(body, (block, _) =>
        {
            block.CopyTo(content[filled..]); // it fits: the request's length bounds it
            filled += block.Length;
            return ValueTask.CompletedTask;
        });
        try
        {
            var decoded = await PartDecoder.DecodeAsync(
                stored,
                format,
                request.Start,
                Limits.Parts,
                onBegin,
                cancellationToken
            );
            CheckDigest(request, stored);
            return decoded;
        }
        catch (Exception e) when (e is SendStreamException or OperationException { ExitCode: ExitCode.Damaged })
        {
            await DrainAsync(stored, cancellationToken);
            CheckDigest(request, stored); // damage in transit is reported as such: the client sends the part again
            throw RequestException.Damaged(
                e is SendStreamException ? "stream_damaged" : "compression_damaged",
                e.Message,
                e
            );
        }
    }

    /// <exception cref="RequestException">It is too small and not the last part, or it ends in another state than its
    /// client announced.</exception>
    public static void CheckEnd(PartRequest request, ParserState end, int partSize)
    {
        if (request.Size < partSize && end.Phase != StreamPhase.End)
            throw RequestException.BadRequest(
                $"Part {request.Number} has {request.Size} bytes; all parts but the last must have at least {partSize}."
            );
        var state = end.FormatWithoutBegin();
        if (request.End is { } announced && announced != state)
            throw RequestException.Damaged(
                "stream_mismatch",
                $"Part {request.Number} ends in the state {state}; {announced} was announced."
            );
    }

    private static async Task DrainAsync(StoredBytesReader stored, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> slice;
        do slice = await stored.ReadSliceAsync(int.MaxValue, cancellationToken); // the reader adds it to the digest
        while (!slice.IsEmpty);
    }

    private static void CheckDigest(PartRequest request, StoredBytesReader stored)
    {
        if (
            CryptographicOperations.FixedTimeEquals(
                Convert.FromHexString(stored.GetSha256()),
                Convert.FromHexString(request.Sha256)
            )
        )
            return;
        throw new RequestException(
            StatusCodes.Status422UnprocessableEntity,
            "part_damaged",
            $"Part {request.Number} arrived with SHA-256 {stored.GetSha256()}; {request.Sha256} was announced.",
            "Nothing of it was stored. Send the part again."
        );
    }
}
