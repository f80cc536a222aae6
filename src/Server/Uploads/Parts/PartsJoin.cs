using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Decides whether parts are one complete stream. Each part was verified from the state that it claimed to start from.
/// If that is the state after the part before it, from the start to END, every record of the stream is verified (docs/
/// decisions/0020). No I/O.
/// </summary>
internal static class PartsJoin
{
    /// <param name="parts">In order.</param>
    /// <param name="request">What the client says it sent.</param>
    /// <returns>The state at the end of the stream.</returns>
    /// <exception cref="RequestException">A part is missing or does not continue the one before, or the stream is not
    /// what the client sent.</exception>
    public static ParserState Check(IReadOnlyList<PartRecord> parts, CompleteRequest request)
    {
        PartRecord? before = null;
        foreach (var part in parts)
        {
            if (part.Number != (before?.Number ?? 0) + 1)
                throw Incomplete($"part {(before?.Number ?? 0) + 1} is missing");
            if (!PartCatalogue.Follows(before, part))
                throw Incomplete($"part {part.Number} does not continue where the part before it ends");
            before = part;
        }

        if (before is null)
            throw Incomplete("part 1 is missing");
        if (before.Number != request.Parts)
            throw Incomplete($"{before.Number} parts were received, not {request.Parts}");
        if (parts[0].StartState != ParserState.Start.FormatWithoutBegin())
            throw Incomplete("part 1 does not begin with the stream");
        if (
            !ParserState.TryParse(before.EndState, out var end)
            || end.Phase != StreamPhase.End
            || before.EndChecksum is null
        )
            throw Incomplete("the last part does not contain the stream's END");
        if (end.StreamOffset != request.StreamBytes)
            throw Incomplete($"the parts contain {end.StreamOffset} bytes of the stream, not {request.StreamBytes}");
        var digest = StoredPart.DigestOf(parts.Select(Describe));
        if (digest != request.PartsSha256)
            throw Incomplete($"the digest of the parts is {digest}, not {request.PartsSha256}");
        return end;
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
