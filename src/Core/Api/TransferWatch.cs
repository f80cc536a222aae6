namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// Cancels a transfer to the server when no byte moves for a while. There is no limit on its whole time.
/// </summary>
public sealed class TransferWatch : IDisposable
{
    private static readonly TimeSpan MovePatience = TimeSpan.FromSeconds(60);

    /// <summary>The server stores a part before it answers, and its store may be slow.</summary>
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(300);

    private readonly CancellationTokenSource _source;
    private bool _awaitsAnswer;

    public TransferWatch(TimeProvider time) => _source = new CancellationTokenSource(MovePatience, time);

    /// <summary>Is cancelled when nothing has moved for too long.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Why it was cancelled, as the end of a sentence that begins with the server.</summary>
    public string Reason =>
        _awaitsAnswer
            ? $"did not answer within {AnswerPatience.TotalSeconds} s after all was sent"
            : $"accepted no byte for {MovePatience.TotalSeconds} s";

    /// <summary>Bytes moved.</summary>
    public void Moved() => _source.CancelAfter(MovePatience);

    /// <summary>Stops the clock: nothing can move, for a reason on this side.</summary>
    public void Pause() => _source.CancelAfter(Timeout.InfiniteTimeSpan);

    /// <summary>Everything is sent: from here on the answer is awaited.</summary>
    public void AwaitAnswer()
    {
        _awaitsAnswer = true;
        _source.CancelAfter(AnswerPatience);
    }

    public void Dispose() => _source.Dispose();
}
