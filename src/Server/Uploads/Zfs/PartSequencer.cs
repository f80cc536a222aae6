using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// The order of parts that go into ZFS: one is written while the next one is received and checked, and no further one
/// has a place, so that what waits never keeps out what it waits for.
/// </summary>
internal sealed class PartSequencer
{
    /// <summary>Less than a client waits for a sign of life. Then it is told, and comes again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Progress> _uploads = new(StringComparer.Ordinal);

    /// <summary>Whether parts of the upload have come since its receive began.</summary>
    public bool Has(string uploadId)
    {
        lock (_lock)
            return _uploads.ContainsKey(uploadId);
    }

    /// <summary>Parts that were handed on.</summary>
    public int WrittenOf(string uploadId)
    {
        lock (_lock)
            return _uploads.GetValueOrDefault(uploadId)?.Written ?? 0;
    }

    /// <summary>Waits until the part before this one is being received.</summary>
    /// <exception cref="RequestException">It did not come for too long.</exception>
    public Task EnterAsync(string uploadId, int part, CancellationToken cancellationToken) =>
        WaitAsync(
            uploadId,
            part,
            mayBeFirst: true,
            progress =>
            {
                if (progress.Entered < part - 1)
                    return false;
                progress.Entered = Math.Max(progress.Entered, part);
                return true;
            },
            cancellationToken
        );

    /// <summary>Waits until the part before this one was handed on.</summary>
    /// <exception cref="RequestException">It did not come for too long.</exception>
    public Task AwaitTurnAsync(string uploadId, int part, CancellationToken cancellationToken) =>
        WaitAsync(uploadId, part, mayBeFirst: false, progress => progress.Written >= part - 1, cancellationToken);

    public void Wrote(string uploadId, int part) => Change(uploadId, progress => progress.Written = part);

    /// <summary>The upload's receive has ended: its parts begin again.</summary>
    public void Forget(string uploadId)
    {
        lock (_lock)
        {
            if (_uploads.Remove(uploadId, out var progress))
                progress.Signal();
        }
    }

    private async Task WaitAsync(
        string uploadId,
        int part,
        bool mayBeFirst,
        Func<Progress, bool> isReached,
        CancellationToken cancellationToken
    )
    {
        Progress? waitsFor = null;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (!_uploads.TryGetValue(uploadId, out var progress) && mayBeFirst && waitsFor is null)
                    _uploads[uploadId] = progress = new Progress();
                waitsFor ??= progress;
                var hasEnded = progress is null || progress != waitsFor;
                if (!hasEnded && isReached(progress!))
                {
                    progress!.Signal();
                    return;
                }

                // Why it has ended, the part that ended it is told; this one must not say less before that, nor begin
                // anything anew.
                changed = hasEnded ? Task.Delay(Timeout.Infinite, patience.Token) : progress!.Changed;
            }

            try
            {
                await changed.WaitAsync(patience.Token);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                throw new RequestException(
                    StatusCodes.Status503ServiceUnavailable,
                    "server_busy",
                    $"Part {part} waited for the part before it for {Patience.TotalSeconds:0} s.",
                    "Send the parts in order; send this one again.",
                    e
                );
            }
        }
    }

    private void Change(string uploadId, Action<Progress> change)
    {
        lock (_lock)
        {
            if (!_uploads.TryGetValue(uploadId, out var progress))
                return;
            change(progress);
            progress.Signal();
        }
    }

    private sealed class Progress
    {
        private TaskCompletionSource _changed = NewSignal();

        public int Entered { get; set; }

        public int Written { get; set; }

        public Task Changed => _changed.Task;

        public void Signal()
        {
            var changed = _changed;
            _changed = NewSignal();
            changed.SetResult();
        }

        private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
