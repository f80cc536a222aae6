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
/// <param name="Splice">Makes the rest of what ZFS sends again; null where the stream is there to its END.</param>
internal sealed record ResumeStart(TransferStart From, IReadOnlyList<StoredPart> Parts, StreamSplice? Splice)
{
    private const int DigestLength = 64;

    /// <summary>Reads what the server says, without trusting that it can be.</summary>
    /// <exception cref="NotResumableException">It is of no use.</exception>
    public static ResumeStart Read(UploadResume? resume)
    {
        var (state, splice) = Judge(resume);
        if (resume!.PartDigests is not { } digests || digests.Length != (resume.NextPart - 1L) * DigestLength) throw new NotResumableException("the server does not say what it has stored");
        return new ResumeStart(new TransferStart(resume.NextPart, resume.StoredBytes, state), [.. digests.Chunk(DigestLength).Select(Describe)], splice);
    }

    /// <summary>Whether a stream can go on from where it stands.</summary>
    /// <exception cref="NotResumableException">It cannot.</exception>
    public static (ParserState State, StreamSplice? Splice) Judge(UploadResume? resume)
    {
        if (resume is null) throw new NotResumableException("nothing of it is stored");
        if (!StreamState.TryRead(resume.State, out var state) || state.Snapshot is null) throw new NotResumableException("the server does not say where its stream stands");
        try
        {
            return (state, state.Phase == StreamPhase.End ? null : new StreamSplice(state));
        }
        catch (StreamEditException e)
        {
            throw new NotResumableException(e.Message, e);
        }
    }

    private static StoredPart Describe(char[] digest) => new() { Size = 0, Sha256 = new string(digest) };
}
