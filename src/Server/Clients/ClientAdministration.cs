using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// What an administrator does with clients. Each change is in the audit log before it is made, so that a crash in
/// between leaves no change that nobody recorded. If the log cannot be written, the change is made all the same: a
/// client must be locked out on a full disk, too.
/// </summary>
internal sealed class ClientAdministration(
    ServerSettings settings,
    CatalogueDatabase database,
    BackupCatalogue backups,
    UploadCatalogue uploads,
    MachineCatalogue machines,
    AuditLog audit,
    TimeProvider time
)
{
    private string ListPath => settings.ClientsFile;

    /// <exception cref="OperationException">It does not exist.</exception>
    public ClientEntry Find(string id) => Find(ClientsFile.Read(ListPath), id);

    /// <returns>The clients, and why their machines are unknown, if the catalogue cannot be read.</returns>
    public (IReadOnlyList<ListedClient> Clients, string? MachinesFault) List() => Describe(ClientsFile.Read(ListPath));

    /// <inheritdoc cref="List"/>
    /// <exception cref="OperationException">It does not exist.</exception>
    public (ListedClient Client, string? MachinesFault) Show(string id)
    {
        var (clients, fault) = Describe([Find(id)]);
        return (clients[0], fault);
    }

    /// <summary>Adds a client with a new key.</summary>
    /// <param name="setFields">Sets its other fields.</param>
    public AddedClient Add(string id, Func<ClientEntry, ClientEntry> setFields)
    {
        var key = ApiKey.Generate();
        var client = setFields(new ClientEntry { ClientId = id, ApiKey = ApiKey.Hash(key) });
        // A client with a dataset may use local storage, so it gets one only if local storage is set up or requested.
        if (client.Dataset is null && (settings.HasBaseDataset || client.StorageType == StorageTypes.Local))
            client = client with { Dataset = $"{settings.BaseDataset}/{id}" };
        ClientsFile.Change(
            ListPath,
            clients => Append(clients, client),
            () => Note(ServerEvents.ClientAdded, id, ClientChanges.FieldsOf(client))
        );
        return new AddedClient
        {
            ClientId = id,
            ApiKey = key,
            ClientsFile = ListPath,
        };
    }

    /// <summary>Changes a client; the others stay unchanged.</summary>
    /// <param name="name">One of <see cref="ServerEvents"/>.</param>
    public ChangedClient Change(string id, string name, Func<ClientEntry, ClientEntry> edit)
    {
        IReadOnlyList<FieldChange> changes = [];
        var enabled = true;
        Edit(id, edit, (before, after) =>
        {
            (changes, enabled) = (ClientChanges.Between(before, after), after.Enabled);
            if (changes.Count > 0)
                Note(name, id, changes.Select(change => (change.Field, $"{change.Old} → {change.New}")));
        });
        return new ChangedClient
        {
            ClientId = id,
            ClientsFile = ListPath,
            Changes = changes,
            ExpiringBackups = enabled ? null : CountExpiring(id),
        };
    }

    /// <param name="overlap">Hours for which the old key is still accepted.</param>
    /// <returns>The new key, and whether a key of an earlier rotation was accepted until now.</returns>
    public (RotatedKey Key, bool DroppedEarlier) RotateKey(string id, int overlap)
    {
        var key = ApiKey.Generate();
        var dropped = false;
        DateTimeOffset? until = null;
        Edit(
            id,
            client => Rotate(client, key, overlap, time.GetUtcNow()),
            (before, after) =>
            {
                (dropped, until) = (before.OldApiKeyUntil > time.GetUtcNow(), after.OldApiKeyUntil);
                var fields = ClientChanges.FieldsOf(after).Where(field => field.Name == "old_api_key_until");
                Note(ServerEvents.ClientKeyRotated, id, fields);
            }
        );
        var rotated = new RotatedKey
        {
            ClientId = id,
            ApiKey = key,
            OldApiKeyUntil = until,
            ClientsFile = ListPath,
        };
        return (rotated, dropped);
    }

    /// <summary>The client with a new key; its previous key stays valid for the overlap, in hours.</summary>
    public static ClientEntry Rotate(ClientEntry client, string key, int overlap, DateTimeOffset now) =>
        client with
        {
            ApiKey = ApiKey.Hash(key),
            OldApiKey = overlap == 0 ? null : client.ApiKey,
            OldApiKeyUntil =
                overlap == 0 ? null : DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds()).AddHours(overlap),
        };

    /// <returns>The numbers of its backups and open uploads.</returns>
    public (int Backups, int Uploads) CountStored(string id)
    {
        if (!File.Exists(database.Path))
            return (0, 0); // no server has run here yet
        database.RequireCurrent();
        return (backups.GetSummary(id).Count, uploads.Count(id));
    }

    /// <summary>Removes a client from the list. What is stored of it stays.</summary>
    /// <param name="keepBackups">Whether it is removed even if something is stored of it.</param>
    /// <exception cref="OperationException">Something is stored of it, or it does not exist.</exception>
    public RemovedClient Remove(string id, bool keepBackups)
    {
        var (keptBackups, keptUploads) = CountStored(id);
        if (keptBackups + keptUploads > 0 && !keepBackups)
            throw new OperationException(
                ExitCode.Conflict,
                $"Client '{id}' has {StoredOf(keptBackups, keptUploads)}; without the client they can be neither "
                    + "listed nor restored.",
                "Add --keep-backups to remove the client anyway: its backups are not deleted, and a client that is "
                    + "added under the same id has them again."
            );
        ClientsFile.Change(
            ListPath,
            clients => [.. clients.Except([Find(clients, id)])],
            () =>
                Note(
                    ServerEvents.ClientRemoved,
                    id,
                    [("kept_backups", $"{keptBackups}"), ("kept_uploads", $"{keptUploads}")]
                )
        );
        return new RemovedClient
        {
            ClientId = id,
            ClientsFile = ListPath,
            KeptBackups = keptBackups,
            KeptUploads = keptUploads,
        };
    }

    public static string StoredOf(int backups, int uploads) =>
        $"{backups} {(backups == 1 ? "backup" : "backups")} and {uploads} open {(uploads == 1 ? "upload" : "uploads")}";

    private ClientEntry[] Append(IReadOnlyList<ClientEntry> clients, ClientEntry client)
    {
        var id = client.ClientId;
        var existing = clients.FirstOrDefault(c => c.ClientId.Equals(id, StringComparison.OrdinalIgnoreCase));
        if (existing is null)
            return [.. clients, client];
        var inOtherCase = existing.ClientId == id ? "" : $" as '{existing.ClientId}': case makes no difference";
        throw new OperationException(
            ExitCode.Conflict,
            $"The client '{id}' already exists in {ListPath}{inOtherCase}.",
            $"To replace its key: zfs-server client rotate-key {existing.ClientId}. Otherwise choose another id."
        );
    }

    private void Edit(string id, Func<ClientEntry, ClientEntry> edit, Action<ClientEntry, ClientEntry> note)
    {
        ClientEntry? before = null,
            after = null;
        ClientsFile.Change(
            ListPath,
            clients =>
            {
                before = Find(clients, id);
                after = edit(before);
                return [.. clients.Select(client => client.ClientId == id ? after : client)];
            },
            () => note(before!, after!)
        );
    }

    private ClientEntry Find(IReadOnlyList<ClientEntry> clients, string id) =>
        clients.FirstOrDefault(client => client.ClientId == id)
        ?? throw new OperationException(
            ExitCode.NotFound,
            $"The client '{id}' does not exist in {ListPath}.",
            "'zfs-server client list' shows the clients."
        );

    /// <returns>Null if it is unknown: a client must be locked out whatever state the catalogue is in.</returns>
    private int? CountExpiring(string id)
    {
        try
        {
            if (!File.Exists(database.Path))
                return 0; // no server has run here yet
            database.RequireCurrent();
            return backups.GetSummary(id).Expiring;
        }
        catch (Exception e) when (e is OperationException or SqliteException)
        {
            return null;
        }
    }

    private void Note(string name, string id, IEnumerable<(string Name, string Value)> details) =>
        audit.Write(ServerEvent.Of(name, EventActor.Admin, time.GetUtcNow(), details) with { ClientId = id });

    /// <summary>
    /// The catalogue only adds the machines: clients are shown also while it is damaged, or of a later version.
    /// </summary>
    private (IReadOnlyList<ListedClient> Clients, string? MachinesFault) Describe(IReadOnlyList<ClientEntry> clients)
    {
        try
        {
            if (!File.Exists(database.Path) || database.Inspect() != CatalogueDatabase.CurrentVersion)
                return (WithoutMachines(clients), null);
            return ([.. clients.Select(client => ListedClient.Of(client, machines.List(client.ClientId)))], null);
        }
        catch (OperationException e)
        {
            return (WithoutMachines(clients), $"{e.Message} {e.Remedy}".TrimEnd());
        }
        catch (SqliteException e)
        {
            return (
                WithoutMachines(clients),
                $"The catalogue {database.Path} cannot be read: {e.Message}. See 'zfs-server catalogue check'."
            );
        }
    }

    private static ListedClient[] WithoutMachines(IReadOnlyList<ClientEntry> clients) =>
        [.. clients.Select(client => ListedClient.Of(client, null))];
}
