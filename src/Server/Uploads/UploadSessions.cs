namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>
/// Lets one request at a time work on an upload as a whole, or several on different parts of it. A new request ends the
/// one before it, whose connection may be dead.
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
        BeginAsync(new Session(this, uploadId, part: null, cancellationToken), cancellationToken);

    /// <summary>Begins to work on the upload as a whole if no request does.</summary>
    /// <returns>Null if a request does.</returns>
    public Session? TryBegin(string uploadId)
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

    /// <summary>Ends a request with the same part; waits for a request that works on the upload as a whole.</summary>
    public Task<Session> TakeOverPartAsync(string uploadId, int part, CancellationToken cancellationToken) =>
        BeginAsync(new Session(this, uploadId, part, cancellationToken), cancellationToken);

    private async Task<Session> BeginAsync(Session session, CancellationToken cancellationToken)
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

        /// <summary>Whether another request has taken over.</summary>
        public bool WasReplaced { get; private set; }

        public bool Excludes(Session other) =>
            other.UploadId == uploadId && (part is null || other.Part is null || part == other.Part);

        public bool Replaces(Session other) => part is null || part == other.Part;

        /// <summary>
        /// Claims a range of the object for this part. Clients may claim any offset; no part may be written over
        /// another.
        /// </summary>
        /// <returns>False if the range overlaps one of a part that is being received, or lies on the wrong side of
        /// it.</returns>
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
                    var isBefore = other.Part < part;
                    if (isBefore && other._end > start)
                        return false;
                    if (!isBefore && other._start < end)
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
                // It has just ended by itself.
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
