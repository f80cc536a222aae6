using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Decides whether parts are one complete stream. Each part was verified from the state that it claimed to start from.
/// If that is the state after the part before it, from the start to END, every record of the stream is verified (docs/
/// decisions/0020). No I/O of its own, and no list of the parts: they may be very many.
/// </summary>
internal static class PartsJoin
{
    /// <param name="parts">In order; read once.</param>
    /// <param name="request">What the client says it sent.</param>
    /// <exception cref="RequestException">A part is missing or does not continue the one before, or the stream is not
    /// what the client sent.</exception>
    public static JoinedParts Check(IEnumerable<PartRecord> parts, CompleteRequest request)
    {
        using var digest = new PartsDigest();
        PartRecord? before = null;
        foreach (var part in parts)
        {
            if (part.Number != (before?.Number ?? 0) + 1)
                throw Incomplete($"part {(before?.Number ?? 0) + 1} is missing");
            if (!PartCatalogue.Follows(before, part))
                throw Incomplete($"part {part.Number} does not continue where the part before it ends");
            if (before is null && part.StartState != ParserState.Start.FormatWithoutBegin())
                throw Incomplete("part 1 does not begin with the stream");
            if (!digest.TryAdd(part.Sha256))
                throw Incomplete($"part {part.Number} has no SHA-256");
            before = part;
        }

        if (before is null)
            throw Incomplete("part 1 is missing");
        if (before.Number != request.Parts)
            throw Incomplete($"{before.Number} parts were received, not {request.Parts}");
        if (
            !ParserState.TryParse(before.EndState, out var end)
            || end.Phase != StreamPhase.End
            || before.EndChecksum is null
        )
            throw Incomplete("the last part does not contain the stream's END");
        if (end.StreamOffset != request.StreamBytes)
            throw Incomplete($"the parts contain {end.StreamOffset} bytes of the stream, not {request.StreamBytes}");
        if (digest.ToHex() != request.PartsSha256)
            throw Incomplete($"the digest of the parts is {digest.ToHex()}, not {request.PartsSha256}");
        return new JoinedParts(before.Number, before.StoredEnd, end, before.EndChecksum, digest.ToHex());
    }

    /// <summary>The part as the manifest describes it.</summary>
    public static StoredPart Describe(PartRecord part) =>
        new()
        {
            Size = part.Size,
            Sha256 = part.Sha256,
            State = part.EndState,
        };

    private static RequestException Incomplete(string what) =>
        RequestException.Conflict(
            "parts_incomplete",
            $"The upload is not complete: {what}.",
            "Ask with POST /upload where to resume, and send the parts from there."
        );
}

/// <summary>Parts that are one complete stream.</summary>
/// <param name="Count">How many they are.</param>
/// <param name="StoredBytes">Of all of them.</param>
/// <param name="End">The state at the end of the stream.</param>
/// <param name="EndChecksum">The stream's checksum before its END record.</param>
/// <param name="PartsSha256">The digest of their digests.</param>
internal sealed record JoinedParts(int Count, long StoredBytes, ParserState End, string EndChecksum, string PartsSha256)
{
    /// <summary>The length of the stream in bytes, its number of records and its checksum.</summary>
    public (long Length, long RecordCount, string EndChecksum) Whole =>
        (End.StreamOffset, End.RecordCount, EndChecksum);
}
