using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>Where an interrupted upload resumes.</summary>
/// <param name="From">The first missing part.</param>
/// <param name="Parts">The parts before it, with the fields that the digest of all parts needs.</param>
/// <param name="StreamBytes">Bytes of the stream that the server has.</param>
/// <param name="Token">Token for <c>zfs send -t</c>; null if the server has the stream up to its END.</param>
/// <param name="Splice">Turns the output of that into the rest of the stream; null if the server's ZFS resumes, which
/// needs the output as it is.</param>
internal sealed record ResumePoint(
    TransferStart From,
    IReadOnlyList<StoredPart> Parts,
    long StreamBytes,
    string? Token,
    StreamSplice? Splice
)
{
    private const int DigestLength = 64;

    /// <summary>Reads the server's answer, which is not trusted.</summary>
    /// <exception cref="NotResumableException">The upload cannot be resumed from it.</exception>
    public static ResumePoint Read(UploadResume? resume)
    {
        var (state, splice) = Inspect(resume);
        if (resume!.ReceiveResumeToken is { } token)
            return new ResumePoint(TransferStart.Beginning, [], resume.StreamBytes, token, null);
        if (resume!.PartDigests is not { } digests || digests.Length != (resume.NextPart - 1L) * DigestLength)
            throw new NotResumableException("the server does not report what it has stored");
        return new ResumePoint(
            new TransferStart(resume.NextPart, resume.StoredBytes, state),
            [.. digests.Chunk(DigestLength).Select(Describe)],
            state.StreamOffset,
            splice?.Token.ToString(),
            splice
        );
    }

    /// <summary>Checks whether a stream can be resumed.</summary>
    /// <exception cref="NotResumableException">It cannot be resumed.</exception>
    public static (ParserState State, StreamSplice? Splice) Inspect(UploadResume? resume)
    {
        if (resume is null)
            throw new NotResumableException("none of it is stored");
        if (resume.ReceiveResumeToken is { } text)
            return (Read(text), null);
        var state = ReadState(resume.State);
        try
        {
            return (state, state.Phase == StreamPhase.End ? null : new StreamSplice(state));
        }
        catch (StreamCombinationException e)
        {
            throw new NotResumableException(e.Message, e);
        }
    }

    private static ParserState ReadState(string? text)
    {
        const string Unknown = "the server does not report the state of its stream";
        try
        {
            return text is not null && ParserState.Parse(text) is { Snapshot: not null } state
                ? state
                : throw new NotResumableException(Unknown);
        }
        catch (FormatException e)
        {
            throw new NotResumableException($"{Unknown} ({e.Message.TrimEnd('.')})", e);
        }
    }

    /// <summary>Reads from a token what identifies the stream.</summary>
    private static ParserState Read(string text) =>
        ResumeToken.TryParse(text, out var token)
            ? ParserState.Start with
            {
                Snapshot = new SnapshotStreamInfo
                {
                    SnapshotGuid = token.SnapshotGuid,
                    BaseGuid = token.BaseGuid ?? 0,
                    FullSnapshotName = token.FullSnapshotName,
                    Type = DatasetType.None,
                    Features = StreamFeatures.None,
                    Flags = 0,
                    CreationTime = DateTimeOffset.UnixEpoch,
                },
            }
            : throw new NotResumableException("the server's resume token is not valid");

    private static StoredPart Describe(char[] digest) => new() { Size = 0, Sha256 = new string(digest) };
}
