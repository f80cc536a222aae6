using System.Collections.Concurrent;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Maintenance;

/// <summary>
/// Inspects a whole store with one listing, and reads each manifest once. Keeps a record of each backup, without its
/// parts.
/// </summary>
internal sealed class StoreSurvey(BackupStore store)
{
    private const int ReadsAtOnce = 8;

    private const int ListAttempts = 3;

    /// <param name="prefix">Inspects only keys that start with it.</param>
    /// <param name="only">Inspects only these backups; null: all.</param>
    /// <returns>The backups found, by their keys.</returns>
    public async Task<IReadOnlyDictionary<string, SurveyedBackup>> RunAsync(
        string prefix,
        IReadOnlySet<string>? only,
        CancellationToken cancellationToken
    )
    {
        var found = await ListAsync(prefix, only, cancellationToken);
        var surveyed = new ConcurrentDictionary<string, SurveyedBackup>(StringComparer.Ordinal);
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = ReadsAtOnce,
            CancellationToken = cancellationToken,
        };
        await Parallel.ForEachAsync(found, options, async (files, token) =>
            surveyed[files.Key] = await InspectAsync(files, token)
        );
        return surveyed;
    }

    private async Task<SurveyedBackup> InspectAsync(StoredFiles files, CancellationToken cancellationToken)
    {
        if (files.ManifestSize is not { } size)
            return files.WithoutManifest();
        try
        {
            return files.With(await store.ReadManifestAsync(files.Key, size, cancellationToken));
        }
        catch (StorageException e)
            when (e.Fault
                    is StorageFault.Missing
                        or StorageFault.Damaged
                        or StorageFault.Unreadable
                        or StorageFault.Failed
            )
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
                // Enumerating a directory fails if a file is removed at that moment, which a running server may do.
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
            var key = StorageKey.BackupOf(item.Key);
            if (ReservedKeys.Contains(item.Key) || only?.Contains(key) == false)
                continue;
            if (!found.TryGetValue(key, out var files))
            {
                files = new StoredFiles(key);
                found.Add(key, files);
            }

            files.Add(item);
        }

        return found.Values;
    }
}
