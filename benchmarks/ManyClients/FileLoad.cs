using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.ManyClients;

/// <summary>Puts the parts of a backup as files to a WebDAV server.</summary>
internal sealed class FileLoad(HttpClient http, string folder) : ILoad
{
    private CutParts? _backup;

    public void Prepare(int amount) => _backup = Parts.Full(amount);

    public Task RunAsync() =>
        Parallel.ForEachAsync(
            _backup!.Parts,
            new ParallelOptions { MaxDegreeOfParallelism = Parts.AtOnce },
            async (part, token) =>
            {
                using var content = new ByteArrayContent(part.Stored);
                using var response = await http.PutAsync($"/{folder}/{part.Number}", content, token);
                response.EnsureSuccessStatusCode();
            }
        );
}
