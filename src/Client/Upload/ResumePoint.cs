using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>Where an interrupted upload resumes.</summary>
/// <param name="From">The first missing part.</param>
/// <param name="Parts">How many parts are before it.</param>
/// <param name="StreamBytes">Bytes of the stream that the server has.</param>
/// <param name="Token">Token for <c>zfs send -t</c>, made here; null if the server has the stream up to its
/// END.</param>
/// <param name="Splice">Turns the output of that into the rest of the stream; null if the server's ZFS resumes, which
/// needs the output as it is.</param>
internal sealed record ResumePoint(
    TransferStart From,
    int Parts,
    long StreamBytes,
    ResumeToken? Token,
    StreamSplice? Splice
)
{
    /// <summary>More bytes than any stream has.</summary>
    private const long MaxBytes = 1L << 60;

    /// <summary>More parts than any upload has.</summary>
    private const int MaxParts = 1 << 30;

    /// <summary>DN_MAX_OBJECT of OpenZFS include/sys/dnode.h.</summary>
    private const ulong MaxObject = 1UL << 48;

    private const ulong MaxOffset = long.MaxValue;

    /// <summary>BEGIN and at least one more record.</summary>
    private const int LeastBytes = 2 * RecordHeader.Size;

    /// <summary>
    /// Reads the server's answer, which is not trusted: it decides how much of the stream is sent again, and nothing
    /// else.
    /// </summary>
    /// <param name="resume">The answer.</param>
    /// <param name="expected">The stream that the plan allows.</param>
    /// <exception cref="NotResumableException">The upload cannot be resumed from it.</exception>
    public static ResumePoint Read(UploadResume? resume, ExpectedStream expected)
    {
        if (resume is null)
            throw new NotResumableException("none of it is stored");
        RequireBytes(resume.StreamBytes);
        if (resume.ReceiveResumeToken is { } text)
            return new ResumePoint(TransferStart.Beginning, 0, resume.StreamBytes, ReadToken(text, expected), null);
        var state = ReadState(resume.State, expected);
        var splice = MakeSplice(state);
        RequireBytes(resume.StoredBytes);
        if (resume.NextPart is < 2 or > MaxParts || resume.NextPart > resume.StoredBytes + 1)
            throw new NotResumableException("the server does not report what it has stored");
        return new ResumePoint(
            new TransferStart(resume.NextPart, resume.StoredBytes, state),
            resume.NextPart - 1,
            state.StreamOffset,
            splice is null ? null : expected.MintToken(state.ResumePoint, (ulong)state.ResumeBytes),
            splice
        );
    }

    private static StreamSplice? MakeSplice(ParserState state)
    {
        try
        {
            return state.Phase == StreamPhase.End ? null : new StreamSplice(state);
        }
        catch (StreamCombinationException e)
        {
            throw new NotResumableException(e.Message, e);
        }
    }

    private static ParserState ReadState(string? text, ExpectedStream expected)
    {
        const string Unknown = "the server does not report the state of its stream";
        ParserState state;
        try
        {
            state = ParserState.Parse(text ?? "");
        }
        catch (FormatException e)
        {
            throw new NotResumableException($"{Unknown} ({e.Message.TrimEnd('.')})", e);
        }

        if (state.Snapshot is not { } begin)
            throw new NotResumableException(Unknown);
        if (expected.FindDifferenceOfStored(begin) is { } difference)
            throw new NotResumableException($"the server has the beginning of another stream: {difference}");
        RequirePossible(state);
        return state;
    }

    /// <summary>The states between the records of a stream have no other numbers.</summary>
    private static void RequirePossible(ParserState state)
    {
        RequireBytes(state.StreamOffset);
        var isPossible =
            state.StreamOffset >= LeastBytes
            && state.RecordCount is > 1
            && state.RecordCount <= state.StreamOffset / RecordHeader.Size
            && state.ResumeBytes >= 0
            && state.ResumeBytes <= state.StreamOffset
            && IsPossible(state.ResumePoint.Object, state.ResumePoint.Offset);
        if (!isPossible)
            throw new NotResumableException("the server reports a state that no stream has");
    }

    /// <summary>Makes a token of the place that the server's names.</summary>
    private static ResumeToken ReadToken(string text, ExpectedStream expected)
    {
        if (!ResumeToken.TryParse(text, out var token))
            throw new NotResumableException("the server's resume token is not valid");
        if (expected.FindDifferenceOfStored(token) is { } difference)
            throw new NotResumableException($"the server's resume token is of another stream: {difference}");
        if (!IsPossible(token.Object, token.Offset) || token.Bytes > MaxBytes)
            throw new NotResumableException("the server's resume token names a place that no stream has");
        return expected.MintToken(new SendStream.ResumePoint(token.Object, token.Offset), token.Bytes);
    }

    private static bool IsPossible(ulong number, ulong offset) =>
        number <= MaxObject && offset <= MaxOffset && (number > 0 || offset == 0);

    private static void RequireBytes(long count)
    {
        if (count is < 0 or > MaxBytes)
            throw new NotResumableException($"the server reports {count} bytes, which no stream has");
    }
}
