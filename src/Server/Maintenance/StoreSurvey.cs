using System.Collections.Concurrent;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Looks at all of a store with one list and one small read for each manifest. Keeps a record of each backup and
/// nothing of its parts.
/// </summary>
internal sealed class StoreSurvey(BackupStore store)
{
    private const int ReadsAtOnce = 8;

    /// <summary>
    /// Larger manifests, of backups of some hundred gigabytes and more, are read one by one: in memory they take
    /// several times their size.
    /// </summary>
    private const long MaxSizeAtOnce = 1024 * 1024;

    private const int ListAttempts = 3;

    /// <param name="prefix">Looks only at keys that start with it.</param>
    /// <param name="only">Looks only at these backups; null: at all.</param>
    /// <returns>What there is, by the backups' keys.</returns>
    public async Task<IReadOnlyDictionary<string, SurveyedBackup>> RunAsync(
        string prefix,
        IReadOnlySet<string>? only,
        CancellationToken cancellationToken
    )
    {
        var found = await ListAsync(prefix, only, cancellationToken);
        var surveyed = new ConcurrentDictionary<string, SurveyedBackup>(StringComparer.Ordinal);
        foreach (var readers in found.GroupBy(files => files.ManifestSize <= MaxSizeAtOnce ? ReadsAtOnce : 1))
        {
            var options = new ParallelOptions
            {
                MaxDegreeOfParallelism = readers.Key,
                CancellationToken = cancellationToken,
            };
            await Parallel.ForEachAsync(readers, options, async (files, token) =>
                surveyed[files.Key] = await LookAsync(files, token)
            );
        }

        return surveyed;
    }

    private async Task<SurveyedBackup> LookAsync(StoredFiles files, CancellationToken cancellationToken)
    {
        if (files.ManifestSize is not { } size)
            return files.WithoutManifest();
        try
        {
            return files.With(await store.ReadManifestAsync(files.Key, size, cancellationToken));
        }
        catch (StorageException e) when (e.Fault is StorageFault.Missing or StorageFault.Damaged or StorageFault.Failed)
        {
            return files.WithUnreadable(e.Message);
        }
    }

    private async Task<IReadOnlyCollection<StoredFiles>> ListAsync(
        string prefix,
        IReadOnlySet<string>? only,
        CancellationToken cancellationToken
    )
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryListAsync(prefix, only, cancellationToken);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A folder's list breaks off where a file goes that it was about to tell of: a server at work may
                // remove one.
                if (attempt == ListAttempts)
                    throw StorageException.FromFile($"{store.Objects.Location} cannot be listed", e);
            }
        }
    }

    private async Task<IReadOnlyCollection<StoredFiles>> TryListAsync(
        string prefix,
        IReadOnlySet<string>? only,
        CancellationToken cancellationToken
    )
    {
        Dictionary<string, StoredFiles> found = new(StringComparer.Ordinal);
        await foreach (var item in store.Objects.ListAsync(prefix, cancellationToken))
        {
            var key = BackupKey.Of(item.Key);
            if (ReservedKeys.Contains(item.Key) || only?.Contains(key) == false)
                continue;
            if (!found.TryGetValue(key, out var files))
                found[key] = files = new StoredFiles(key);
            files.Add(item);
        }

        return found.Values;
    }
}
