using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Server.LocalStorage;

/// <summary>The receives that are under way, one for each upload and one for each dataset. When the server ends, each writes down how far it came.</summary>
internal sealed class LocalReceives : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LocalReceive> _byUpload = new(StringComparer.Ordinal);

    public LocalReceive? Find(string uploadId)
    {
        lock (_lock) return _byUpload.GetValueOrDefault(uploadId);
    }

    /// <summary>Whether an upload is receiving into the dataset.</summary>
    public bool IsReceiving(DatasetName dataset)
    {
        lock (_lock) return _byUpload.Values.Any(receive => receive.Target.Dataset == dataset);
    }

    /// <summary>The uploads to whose receives nothing came for so long.</summary>
    public IReadOnlyList<string> IdleFor(TimeSpan time)
    {
        lock (_lock) return [.. _byUpload.Where(pair => TimeProvider.System.GetElapsedTime(pair.Value.LastWrite) > time).Select(pair => pair.Key)];
    }

    public void Add(string uploadId, LocalReceive receive)
    {
        lock (_lock) _byUpload.Add(uploadId, receive);
    }

    /// <summary>Ends an upload's receive, if there is one; what ZFS has of it stays.</summary>
    public async Task EndAsync(string uploadId)
    {
        LocalReceive? receive;
        lock (_lock) _byUpload.Remove(uploadId, out receive);
        if (receive is not null) await receive.DisposeAsync().ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        List<string> uploads;
        lock (_lock) uploads = [.. _byUpload.Keys];
        await Task.WhenAll(uploads.Select(EndAsync)).ConfigureAwait(false);
    }
}
