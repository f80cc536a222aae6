namespace ZfsSnapshotManager.Core.Api;

/// <summary>Gives a transfer up when nothing of it moves for a while. There is no limit on its whole time.</summary>
public sealed class TransferWatch : IDisposable
{
    private static readonly TimeSpan MovePatience = TimeSpan.FromSeconds(60);

    /// <summary>The server stores a part before it answers, and its store may be slow.</summary>
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(300);

    private readonly CancellationTokenSource _source;
    private bool _awaitsAnswer;

    public TransferWatch(TimeProvider time) => _source = new CancellationTokenSource(MovePatience, time);

    /// <summary>Is cancelled when patience is over.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>What the server did, or did not.</summary>
    public string Complaint =>
        _awaitsAnswer
            ? $"did not answer within {AnswerPatience.TotalSeconds} s after all was sent"
            : $"took no byte for {MovePatience.TotalSeconds} s";

    /// <summary>Something moved.</summary>
    public void Moved() => _source.CancelAfter(MovePatience);

    /// <summary>Nothing can move, and that is not the server's fault.</summary>
    public void Pause() => _source.CancelAfter(Timeout.InfiniteTimeSpan);

    /// <summary>All is sent.</summary>
    public void AwaitAnswer()
    {
        _awaitsAnswer = true;
        _source.CancelAfter(AnswerPatience);
    }

    public void Dispose() => _source.Dispose();
}
