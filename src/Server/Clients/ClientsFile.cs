using System.Text;
using System.Text.Json;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Files;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// Reads and writes clients.json. An invalid file is refused, with the position of its fault.
/// </summary>
internal static class ClientsFile
{
    /// <summary>Another command holds the lock for milliseconds.</summary>
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(30);

    /// <returns>No clients if the file does not exist yet.</returns>
    /// <exception cref="OperationException">The file is invalid.</exception>
    public static IReadOnlyList<ClientEntry> Read(string path)
    {
        return ReadContent(path) is { } content ? Parse(path, content) : [];
    }

    /// <returns>Null if the file does not exist.</returns>
    /// <exception cref="OperationException">It cannot be read.</exception>
    public static byte[]? ReadContent(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Broken(path, e.Message, e);
        }
    }

    /// <param name="path">For messages.</param>
    /// <exception cref="OperationException">The content is invalid.</exception>
    public static IReadOnlyList<ClientEntry> Parse(string path, ReadOnlySpan<byte> content)
    {
        try
        {
            // Some editors write a byte order mark.
            if (content.StartsWith(Encoding.UTF8.Preamble))
                content = content[Encoding.UTF8.Preamble.Length..];
            var clients = JsonSerializer.Deserialize(content, ClientsJson.Default.ListClientEntry) ?? [];
            return FindFault(clients) is { } fault ? throw Broken(path, fault) : clients;
        }
        catch (JsonException e)
        {
            throw Broken(path, JsonFault.Describe(e), e);
        }
    }

    /// <summary>
    /// Changes the file under a lock, so that simultaneous commands do not lose each other's changes. Readers see the
    /// old or the new file, never a part of one.
    /// </summary>
    /// <param name="beforeReplacing">Called once the change is known to be possible.</param>
    public static void Change(
        string path,
        Func<IReadOnlyList<ClientEntry>, IReadOnlyList<ClientEntry>> change,
        Action? beforeReplacing = null
    )
    {
        DurableFile.CreateDirectory(Path.GetDirectoryName(path)!);
        using var _ = LockFile.Wait(path + ".lock", LockPatience);
        var clients = change(Read(path)).ToList();
        if (FindFault(clients) is { } fault)
            throw new OperationException(ExitCode.Configuration, $"The client cannot be saved: {fault}.");
        beforeReplacing?.Invoke();
        DurableFile.Replace(
            path,
            JsonSerializer.SerializeToUtf8Bytes(clients, ClientsJson.Default.ListClientEntry),
            UnixFileMode.UserRead | UnixFileMode.UserWrite
        );
    }

    private static string? FindFault(List<ClientEntry> clients)
    {
        for (var i = 0; i < clients.Count; i++)
        {
            if (FindFault(clients[i]) is { } fault)
                return $"entry {i + 1} ({clients[i]?.ClientId}): {fault}";
        }

        var twice = clients
            .GroupBy(c => c.ClientId, StringComparer.OrdinalIgnoreCase)
            .FirstOrDefault(g => g.Count() > 1);
        if (twice is not null)
            return $"client_id '{twice.Key}' exists twice (upper and lower case count as the same)";
        var shared = clients
            .Where(c => c.Dataset is not null)
            .GroupBy(c => c.Dataset, StringComparer.Ordinal)
            .FirstOrDefault(g => g.Count() > 1);
        if (shared is null)
            return null;
        var names = string.Join(" and ", shared.Select(c => c.ClientId));
        return $"dataset '{shared.Key}' is that of {names}; each client needs its own";
    }

    private static string? FindFault(ClientEntry? client) =>
        client switch
        {
            null => "it is null",
            _ when client.ClientId is null || !ClientIdRule.IsValid(client.ClientId) =>
                $"client_id: {ClientIdRule.Text}",
            _ when client.ApiKey is null || !ApiKey.IsHash(client.ApiKey) =>
                "api_key must be the key's SHA-256 as 64 hex digits; 'zfs-server client add' makes one",
            _ when client.OldApiKey is { } old && !ApiKey.IsHash(old) =>
                "old_api_key must be a key's SHA-256 as 64 hex digits; 'zfs-server client rotate-key' writes it",
            _ when client.OldApiKey is null != client.OldApiKeyUntil is null =>
                "old_api_key and old_api_key_until must be set together",
            _ when client.MaxSizeBytes < 0 => "max_size_bytes must not be negative",
            _ when client.StorageType is not ("s3" or "local") => "storage_type must be 's3' or 'local'",
            _ when client.Dataset is { } dataset && !DatasetName.TryParse(dataset, out _, out var fault) =>
                $"dataset '{dataset}': {fault}",
            _ when client.RotationPolicy?.FindFault() is { } fault => $"rotation_policy: {fault}",
            _ => null,
        };

    /// <summary>The fault of a file that a running server has lost: its disk may not be mounted.</summary>
    public static OperationException Removed(string path) =>
        Broken(path, "it does not exist any more; an empty list is []");

    private static OperationException Broken(string path, string fault, Exception? inner = null) =>
        new(ExitCode.Configuration, $"{path} is not usable: {fault}", RemedyFor(path, inner), inner);

    /// <param name="fault">Null if the file was read and its content is invalid.</param>
    internal static string RemedyFor(string path, Exception? fault) =>
        fault is UnauthorizedAccessException
            ? $"Run zfs-server as the server's user, and give the file to that user: chown USER {path}"
            : "Fix the file, or move it away and add the clients again with 'zfs-server client add'.";
}
