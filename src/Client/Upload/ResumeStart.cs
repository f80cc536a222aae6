using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>Where an interrupted upload goes on.</summary>
/// <param name="From">The first part that is missing.</param>
/// <param name="Parts">Those before it, as far as the digest of all needs them.</param>
/// <param name="StreamBytes">How much of the stream is there.</param>
/// <param name="Token">With which <c>zfs send -t</c> goes on; null where the stream is there to its END.</param>
/// <param name="Splice">Makes what that sends the rest of the stream; null where the server's ZFS does, and it is sent
/// as it comes.</param>
internal sealed record ResumeStart(
    TransferStart From,
    IReadOnlyList<StoredPart> Parts,
    long StreamBytes,
    string? Token,
    StreamSplice? Splice
)
{
    private const int DigestLength = 64;

    /// <summary>Reads what the server says, without trusting that it can be.</summary>
    /// <exception cref="NotResumableException">It is of no use.</exception>
    public static ResumeStart Read(UploadResume? resume)
    {
        var (state, splice) = Judge(resume);
        if (resume!.ReceiveResumeToken is { } token)
            return new ResumeStart(TransferStart.Beginning, [], resume.StreamBytes, token, null);
        if (resume!.PartDigests is not { } digests || digests.Length != (resume.NextPart - 1L) * DigestLength)
            throw new NotResumableException("the server does not say what it has stored");
        return new ResumeStart(
            new TransferStart(resume.NextPart, resume.StoredBytes, state),
            [.. digests.Chunk(DigestLength).Select(Describe)],
            state.StreamOffset,
            splice?.Token.ToString(),
            splice
        );
    }

    /// <summary>Whether a stream can go on from where it stands.</summary>
    /// <exception cref="NotResumableException">It cannot.</exception>
    public static (ParserState State, StreamSplice? Splice) Judge(UploadResume? resume)
    {
        if (resume is null)
            throw new NotResumableException("nothing of it is stored");
        if (resume.ReceiveResumeToken is { } text)
            return (Read(text), null);
        if (!StreamState.TryRead(resume.State, out var state) || state.Snapshot is null)
            throw new NotResumableException("the server does not say where its stream stands");
        try
        {
            return (state, state.Phase == StreamPhase.End ? null : new StreamSplice(state));
        }
        catch (StreamCombinationException e)
        {
            throw new NotResumableException(e.Message, e);
        }
    }

    /// <summary>What a token says of the stream: enough to know whose it is.</summary>
    private static ParserState Read(string text) =>
        ResumeToken.TryParse(text, out var token)
            ? ParserState.Start with
            {
                Snapshot = new SnapshotStreamInfo
                {
                    SnapshotGuid = token.SnapshotGuid,
                    BaseGuid = token.BaseGuid ?? 0,
                    FullSnapshotName = token.FullSnapshotName,
                    Type = StreamType.None,
                    Features = StreamFeatures.None,
                    Flags = 0,
                    CreationTime = DateTimeOffset.UnixEpoch,
                },
            }
            : throw new NotResumableException("the server's resume token cannot be read");

    private static StoredPart Describe(char[] digest) => new() { Size = 0, Sha256 = new string(digest) };
}
