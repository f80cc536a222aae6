using System.Text.Json.Nodes;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.ManyClients;

/// <summary>
/// Speaks to zfs-server as zfs-client does. Each has a dataset of its own, which no earlier run has used.
/// </summary>
internal sealed class BackupSender(HttpClient http, string[] credentials)
{
    private readonly string _dataset = $"tank/{Guid.NewGuid():N}";

    public async Task SendAsync(CutParts backup)
    {
        var announced = await PostAsync(
            "upload",
            new JsonObject { ["dataset_name"] = _dataset, ["compression"] = "none" }
        );
        var upload = announced["upload_id"]!.GetValue<string>();
        await Parallel.ForEachAsync(
            backup.Parts,
            new ParallelOptions { MaxDegreeOfParallelism = Parts.AtOnce },
            async (part, token) =>
            {
                using var request = part.Request(upload);
                await SendAsync(request, token);
            }
        );
        await PostAsync(
            $"upload-stream/{upload}/complete",
            new JsonObject
            {
                ["parts"] = backup.Parts.Count,
                ["stream_bytes"] = backup.Stream.Length,
                ["parts_sha256"] = backup.Digest,
            }
        );
    }

    private async Task<JsonNode> PostAsync(string path, JsonObject body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new StringContent(body.ToJsonString()),
        };
        return JsonNode.Parse(await SendAsync(request, CancellationToken.None))!;
    }

    private async Task<string> SendAsync(HttpRequestMessage request, CancellationToken token)
    {
        request.Headers.Add("X-Client-ID", credentials[0]);
        request.Headers.Add("X-API-Key", credentials[1]);
        using var response = await http.SendAsync(request, token);
        var text = await response.Content.ReadAsStringAsync(token);
        return response.IsSuccessStatusCode
            ? text
            : throw new HttpRequestException($"{(int)response.StatusCode} {text}");
    }
}
