using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

/// <summary>
/// The receives in progress, at most one for each upload and for each dataset. When the server stops, each saves how
/// far it came.
/// </summary>
internal sealed class ZfsReceives(ZfsHost zfs, TimeProvider clock) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ZfsReceive> _byUpload = new(StringComparer.Ordinal);
    private readonly List<Ending> _ending = [];

    public ZfsReceive? Find(string uploadId)
    {
        lock (_lock)
            return _byUpload.GetValueOrDefault(uploadId);
    }

    /// <summary>
    /// Whether an upload is being received into the dataset, or has ended and ZFS still saves its state.
    /// </summary>
    public bool IsReceiving(DatasetName dataset)
    {
        lock (_lock)
            return _byUpload
                .Values.Concat(_ending.Select(ending => ending.Receive))
                .Any(receive => receive.Target.Dataset == dataset);
    }

    /// <returns>Where an interrupted receive into the dataset resumes; null if ZFS kept nothing of one.</returns>
    public Task<string?> FindTokenAsync(DatasetName dataset, CancellationToken cancellationToken) =>
        zfs.FindResumeTokenAsync(dataset, cancellationToken);

    /// <summary>Drops what ZFS kept of an interrupted receive into the dataset.</summary>
    public Task AbortAsync(DatasetName dataset, CancellationToken cancellationToken) =>
        zfs.AbortReceiveAsync(dataset, cancellationToken);

    /// <summary>The uploads whose receives got no data for this long.</summary>
    public IReadOnlyList<string> IdleFor(TimeSpan time)
    {
        lock (_lock)
            return
            [
                .. _byUpload.Where(pair => clock.GetElapsedTime(pair.Value.LastWrite) > time).Select(pair => pair.Key),
            ];
    }

    public void Add(string uploadId, ZfsReceive receive)
    {
        lock (_lock)
            _byUpload.Add(uploadId, receive);
    }

    /// <summary>
    /// Ends an upload's receive, if it has one, and waits until it has ended, even if another caller ended it. ZFS
    /// keeps what it has.
    /// </summary>
    public async Task EndAsync(string uploadId)
    {
        List<Ending> ending;
        lock (_lock)
        {
            if (_byUpload.Remove(uploadId, out var receive))
                _ending.Add(new Ending(uploadId, receive, new Lazy<Task>(() => receive.DisposeAsync().AsTask())));
            ending = _ending.FindAll(other => other.UploadId == uploadId);
        }

        try
        {
            foreach (var one in ending)
                await one.Ended.Value;
        }
        finally
        {
            lock (_lock)
                _ending.RemoveAll(ending.Contains);
        }
    }

    public async ValueTask DisposeAsync()
    {
        List<string> uploads;
        lock (_lock)
            uploads = [.. _byUpload.Keys];
        await Task.WhenAll(uploads.Select(EndAsync));
    }

    private sealed record Ending(string UploadId, ZfsReceive Receive, Lazy<Task> Ended);
}
