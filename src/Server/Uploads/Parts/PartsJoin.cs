using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>
/// Whether parts are one whole stream. Each was verified from the state that it claimed to start from; where that is
/// the state after the part before it, from the very start to END, every record of the stream was. No I/O.
/// </summary>
internal static class PartsJoin
{
    /// <param name="parts">In order.</param>
    /// <param name="request">What the client says that it sent.</param>
    /// <returns>Where the stream stands at its end.</returns>
    /// <exception cref="RequestException">A part is missing or does not join, or the whole is not what was
    /// sent.</exception>
    public static ParserState Check(IReadOnlyList<PartRecord> parts, CompleteRequest request)
    {
        PartRecord? before = null;
        foreach (var part in parts)
        {
            if (part.Number != (before?.Number ?? 0) + 1)
                throw Incomplete($"part {(before?.Number ?? 0) + 1} is missing");
            if (!PartCatalogue.Follows(before, part))
                throw Incomplete($"part {part.Number} does not go on where the part before it ends");
            before = part;
        }

        if (before is null)
            throw Incomplete("part 1 is missing");
        if (before.Number != request.Parts)
            throw Incomplete($"{before.Number} parts are here, not {request.Parts}");
        if (parts[0].StartState != StreamState.WriteWithoutBegin(ParserState.Start))
            throw Incomplete("part 1 does not begin with the stream");
        if (
            !StreamState.TryRead(before.EndState, out var end)
            || end.Phase != StreamPhase.End
            || before.EndChecksum is null
        )
            throw Incomplete("the last part does not hold the stream's END");
        if (end.StreamOffset != request.StreamBytes)
            throw Incomplete($"the parts hold {end.StreamOffset} bytes of the stream, not {request.StreamBytes}");
        var digest = StoredPart.DigestOf(parts.Select(Describe));
        if (digest != request.PartsSha256)
            throw Incomplete($"the digest of the parts is {digest}, not {request.PartsSha256}");
        return end;
    }

    /// <summary>What the manifest says of a part.</summary>
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
            "Ask with POST /upload where it goes on, and send the parts from there."
        );
}
