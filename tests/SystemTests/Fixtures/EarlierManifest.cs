using System.Text.Json;
using System.Text.Json.Nodes;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>Makes a stored manifest what an earlier zfs-server would have written.</summary>
internal static class EarlierManifest
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Version 1: indented, and each part has a state, or null.</summary>
    public static async Task RewriteAsync(string path)
    {
        var token = TestContext.Current.CancellationToken;
        var manifest = JsonNode.Parse(await File.ReadAllTextAsync(path, token))!;
        manifest["format_version"] = 1;
        foreach (var part in manifest["objects"]!.AsArray().SelectMany(stored => stored!["parts"]!.AsArray()))
        {
            if (!part!.AsObject().ContainsKey("state"))
                part["state"] = null;
        }

        await File.WriteAllTextAsync(path, manifest.ToJsonString(Indented), token);
    }
}
