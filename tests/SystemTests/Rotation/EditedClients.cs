using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Rotation;

/// <summary>Edits clients.json as an administrator does by hand; the running server reads the change.</summary>
internal static class EditedClients
{
    public static async Task ChangeAsync(ServerProcess server, string clientId, Action<JsonObject> change)
    {
        var path = Path.Combine(server.DataFolder, "clients.json");
        var clients = JsonNode
            .Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken))!
            .AsArray();
        change(clients.Single(entry => (string)entry!["client_id"]! == clientId)!.AsObject());
        var edited = path + ".edited"; // replaced in one step, so no reader sees half of it
        await File.WriteAllTextAsync(edited, clients.ToJsonString(), TestContext.Current.CancellationToken);
        File.Move(edited, path, overwrite: true);
    }
}
