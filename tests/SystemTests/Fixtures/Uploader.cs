using System.Text;
using System.Text.Json.Nodes;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// A client of a server that speaks its HTTP by itself, as a small tool does, and runs zfs-restore in a folder of its
/// own.
/// </summary>
internal sealed class Uploader : IDisposable
{
    private readonly ServerProcess _server;

    private Uploader(ServerProcess server, string id, string key)
    {
        (_server, Id, Key) = (server, id, key);
        Http = server.As(id, key);
        Folder = Path.Combine(server.Folder, $"{id}-files");
        Directory.CreateDirectory(Folder);
    }

    public string Id { get; }

    public string Key { get; }

    public HttpClient Http { get; }

    /// <summary>Where its zfs-restore runs.</summary>
    public string Folder { get; }

    /// <summary>What zfs-restore needs to know of the server.</summary>
    public Dictionary<string, string> Settings =>
        new(StringComparer.Ordinal)
        {
            ["CLIENT_ID"] = Id,
            ["API_KEY"] = Key,
            ["SERVER_URL"] = _server.Http.BaseAddress!.ToString(),
        };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="options">Of zfs-server client add.</param>
    public static async Task<Uploader> CreateAsync(
        ServerProcess server,
        string id = "client1",
        params string[] options
    ) => new(server, id, await server.AddClientAsync(id, options));

    public async Task<Answer> GetAsync(string path) => await Answer.ReadAsync(await Http.GetAsync(path, Token));

    public async Task<Answer> DeleteAsync(string path) => await Answer.ReadAsync(await Http.DeleteAsync(path, Token));

    /// <summary>POST /upload with these fields.</summary>
    public Task<Answer> AskAsync(JsonObject fields) => AskAsync(fields.ToJsonString());

    /// <summary>POST /upload with this body.</summary>
    public async Task<Answer> AskAsync(string body, string contentType = "application/json")
    {
        using var content = new StringContent(body, Encoding.UTF8, contentType);
        return await Answer.ReadAsync(await Http.PostAsync("upload", content, Token));
    }

    /// <summary>POST /upload, which must be granted.</summary>
    /// <returns>The upload's id.</returns>
    public async Task<string> AnnounceAsync(JsonObject fields) =>
        (await AskAsync(fields)).MustSucceed().Json.GetProperty("upload_id").GetString()!;

    /// <summary>POST /upload-stream.</summary>
    public Task<Answer> SendAsync(string uploadId, byte[] body) => SendAsync(uploadId, new ByteArrayContent(body));

    /// <summary>
    /// Waits for "100 Continue", as curl does: HttpClient does not look for a refusal while it sends a body.
    /// </summary>
    public async Task<Answer> SendAsync(string uploadId, HttpContent content)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"upload-stream/{uploadId}")
        {
            Content = content,
            Headers = { ExpectContinue = true },
        };
        return await Answer.ReadAsync(await Http.SendAsync(request, Token));
    }

    /// <summary>PUT /upload-stream/{id}/parts/{n}.</summary>
    public async Task<Answer> SendPartAsync(string uploadId, CutPart part)
    {
        using var request = part.Request(uploadId);
        return await Answer.ReadAsync(await Http.SendAsync(request, Token));
    }

    /// <summary>POST /upload-stream/{id}/complete.</summary>
    public Task<Answer> CompleteAsync(string uploadId, CutParts cut) =>
        CompleteAsync(uploadId, cut.Parts.Count, cut.Stream.Length, cut.Digest);

    public async Task<Answer> CompleteAsync(string uploadId, int parts, long streamBytes, string digest)
    {
        var body = new JsonObject
        {
            ["parts"] = parts,
            ["stream_bytes"] = streamBytes,
            ["parts_sha256"] = digest,
        };
        using var content = new StringContent(body.ToJsonString());
        return await Answer.ReadAsync(await Http.PostAsync($"upload-stream/{uploadId}/complete", content, Token));
    }

    /// <summary>Waits until the server has begun to take a stream in.</summary>
    public Task WaitForReceivingAsync(string uploadId) =>
        Patience.UntilAsync("the server receives", async () =>
            (await GetAsync($"upload-stream/{uploadId}")).MustSucceed().Json.GetProperty("state").GetString()
            == "receiving"
        );

    /// <summary>Stores a stream of which nothing but its dataset and compression is said.</summary>
    /// <returns>The committed backup.</returns>
    public async Task<Answer> StoreAsync(byte[] body, string dataset = "tank/data", string compression = "none")
    {
        var upload = await AnnounceAsync(new JsonObject { ["dataset_name"] = dataset, ["compression"] = compression });
        return (await SendAsync(upload, body)).MustSucceed();
    }

    /// <summary>
    /// All that a refused upload must leave as it was: the store's files, what is listed, what is counted.
    /// </summary>
    public async Task<string> PictureAsync() =>
        string.Join(
            '\n',
            [
                .. _server.StoredFiles(),
                (await GetAsync("snapshots")).MustSucceed().Text,
                (await GetAsync("status")).MustSucceed().Text,
            ]
        );

    /// <summary>Runs zfs-restore with the client's settings in the environment.</summary>
    public Task<CommandResult> RestoreAsync(params string[] arguments) =>
        Command.RunAsync(Repository.Program("zfs-restore"), arguments, Folder, Settings);

    /// <summary>Where a stored object lies on the server's disk.</summary>
    public string ObjectOf(Answer stored) =>
        Path.Combine(_server.DataFolder, "objects", stored.Json.GetProperty("storage_key").GetString()!);

    public void Dispose() => Http.Dispose();
}
