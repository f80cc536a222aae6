using ZfsSnapshotManager.Server.Http;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// Orders the parts that are written to ZFS: one is written while the next one is received and verified. No further
/// part is admitted, so that a waiting part never holds what the one before it needs.
/// </summary>
internal sealed class PartSequencer
{
    /// <summary>Less than a client waits for an answer. Then it is told to send the part again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Progress> _uploads = new(StringComparer.Ordinal);

    /// <summary>Whether parts of the upload have arrived since its receive began.</summary>
    public bool Has(string uploadId)
    {
        lock (_lock)
            return _uploads.ContainsKey(uploadId);
    }

    /// <summary>Number of the last part that was passed to ZFS.</summary>
    public int WrittenOf(string uploadId)
    {
        lock (_lock)
            return _uploads.GetValueOrDefault(uploadId)?.Written ?? 0;
    }

    /// <summary>Waits until the part before this one is being received.</summary>
    /// <exception cref="RequestException">503: it did not arrive for too long.</exception>
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

    /// <summary>Waits until the part before this one was passed to ZFS.</summary>
    /// <exception cref="RequestException">503: it did not arrive for too long.</exception>
    public Task AwaitTurnAsync(string uploadId, int part, CancellationToken cancellationToken) =>
        WaitAsync(uploadId, part, mayBeFirst: false, progress => progress.Written >= part - 1, cancellationToken);

    /// <summary>Waits until the part before this one has arrived, or was passed to ZFS.</summary>
    /// <exception cref="RequestException">503: it did not arrive for too long.</exception>
    public Task AwaitArrivalAsync(string uploadId, int part, CancellationToken cancellationToken) =>
        WaitAsync(
            uploadId,
            part,
            mayBeFirst: false,
            progress => progress.Written >= part - 1 || progress.Arrived.Contains(part - 1),
            cancellationToken
        );

    /// <summary>Notes that all of a part has arrived.</summary>
    public void Arrived(string uploadId, int part) => Change(uploadId, progress => progress.Arrived.Add(part));

    public void Wrote(string uploadId, int part) => Change(uploadId, progress =>
        {
            progress.Written = part;
            progress.Arrived.Remove(part);
        });

    /// <summary>Forgets an upload whose receive has ended: its parts start again.</summary>
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

                // The request of the part that ended the receive is told why. This one must not answer with less before
                // that, nor start anything again.
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

        /// <summary>Parts that have arrived and wait for their turn.</summary>
        public HashSet<int> Arrived { get; } = [];

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
