using System.Collections.Concurrent;

namespace ZfsSnapshotManager.Server.Uploads;

/// <summary>Sees to it that one request at a time receives an upload's stream. A new one ends the one before it, which may well be a connection whose client is dead.</summary>
internal sealed class UploadSessions
{
    private readonly ConcurrentDictionary<string, Session> _sessions = new(StringComparer.Ordinal);

    public bool IsActive(string uploadId) => _sessions.ContainsKey(uploadId);

    /// <summary>Waits until the request before this one has cleaned up.</summary>
    public async Task<Session> TakeOverAsync(string uploadId, CancellationToken cancellationToken)
    {
        var session = new Session(this, uploadId, cancellationToken);
        while (!_sessions.TryAdd(uploadId, session))
        {
            if (!_sessions.TryGetValue(uploadId, out var before)) continue;
            before.End();
            try
            {
                await before.Ended.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                session.DisposeUnused();
                throw;
            }
        }

        return session;
    }

    internal sealed class Session(UploadSessions owner, string uploadId, CancellationToken cancellationToken) : IDisposable
    {
        private readonly CancellationTokenSource _cancellation = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationToken Token => _cancellation.Token;

        public Task Ended => _ended.Task;

        /// <summary>Another request has taken over.</summary>
        public bool WasReplaced { get; private set; }

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
            owner._sessions.TryRemove(new KeyValuePair<string, Session>(uploadId, this));
            _cancellation.Dispose();
            _ended.SetResult();
        }
    }
}
