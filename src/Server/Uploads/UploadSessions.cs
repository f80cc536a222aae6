namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Sees to it that one request at a time works on an upload as a whole, or several on different parts of it. A new one
/// ends the one before it, which may well be a connection whose client is dead.
/// </summary>
internal sealed class UploadSessions
{
    private readonly Lock _lock = new();
    private readonly List<Session> _sessions = [];

    public bool IsActive(string uploadId)
    {
        lock (_lock)
            return _sessions.Exists(session => session.UploadId == uploadId);
    }

    /// <summary>Ends all requests of the upload, and waits until they have cleaned up.</summary>
    public Task<Session> TakeOverAsync(string uploadId, CancellationToken cancellationToken) =>
        TakeAsync(new Session(this, uploadId, part: null, cancellationToken), cancellationToken);

    /// <summary>Works on the upload as a whole where nobody else does.</summary>
    /// <returns>Null where somebody does.</returns>
    public Session? TryTake(string uploadId)
    {
        var session = new Session(this, uploadId, part: null, CancellationToken.None);
        lock (_lock)
        {
            if (!_sessions.Exists(session.Excludes))
            {
                _sessions.Add(session);
                return session;
            }
        }

        session.DisposeUnused();
        return null;
    }

    /// <summary>Ends a request with the same part; waits while one works on the upload as a whole.</summary>
    public Task<Session> TakeOverPartAsync(string uploadId, int part, CancellationToken cancellationToken) =>
        TakeAsync(new Session(this, uploadId, part, cancellationToken), cancellationToken);

    private async Task<Session> TakeAsync(Session session, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                List<Session> before;
                lock (_lock)
                {
                    before = _sessions.FindAll(session.Excludes);
                    if (before.Count == 0)
                    {
                        _sessions.Add(session);
                        return session;
                    }
                }

                foreach (var other in before.Where(session.Replaces))
                    other.End();
                await Task.WhenAll(before.Select(other => other.Ended)).WaitAsync(cancellationToken);
            }
        }
        catch
        {
            session.DisposeUnused();
            throw;
        }
    }

    internal sealed class Session(UploadSessions owner, string uploadId, int? part, CancellationToken cancellationToken)
        : IDisposable
    {
        private readonly CancellationTokenSource _cancellation = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken
        );
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _start;
        private long _end;

        public string UploadId => uploadId;

        public CancellationToken Token => _cancellation.Token;

        public Task Ended => _ended.Task;

        /// <summary>Another request has taken over.</summary>
        public bool WasReplaced { get; private set; }

        public bool Excludes(Session other) =>
            other.UploadId == uploadId && (part is null || other.Part is null || part == other.Part);

        public bool Replaces(Session other) => part is null || part == other.Part;

        /// <summary>
        /// Claims a range of the object for this part. Whoever sends parts may say anything; no part may be written
        /// over another.
        /// </summary>
        /// <returns>False where the range of another part that is on its way does not lie on its side of this
        /// one.</returns>
        public bool TryClaim(long start, long end)
        {
            lock (owner._lock)
            {
                foreach (
                    var other in owner._sessions.Where(other =>
                        other != this && other.UploadId == uploadId && other._end > 0
                    )
                )
                {
                    if (other.Part < part ? other._end > start : other._start < end)
                        return false;
                }

                (_start, _end) = (start, end);
                return true;
            }
        }

        public void End()
        {
            WasReplaced = true;
            try
            {
                _cancellation.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It ended by itself in this moment.
            }
        }

        public void DisposeUnused() => _cancellation.Dispose();

        public void Dispose()
        {
            lock (owner._lock)
                owner._sessions.Remove(this);
            _cancellation.Dispose();
            _ended.SetResult();
        }

        private int? Part => part;
    }
}
