using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.Streams;

/// <summary>The scripts in the directory "guest", on the ZFS machine.</summary>
public sealed class GuestScripts
{
    private const string Folder = "/tmp/zsm-streams";

    private static readonly SemaphoreSlim Copying = new(1);
    private static bool _copied;

    private readonly ZfsHost _host;

    private GuestScripts(ZfsHost host) => _host = host;

    /// <summary>
    /// Kinds of histories for tests that take minutes: all in a soak, otherwise the first and others that are drawn.
    /// </summary>
    /// <param name="others">How many of the others <c>./test</c> draws.</param>
    public static TheoryData<string> Kinds(int others)
    {
        string[] drawn = ["compressed", "raw", "volume", "raw-volume"];
        if (RandomTest.IsSoak)
            return ["plain", .. drawn];
        new Random(RandomTest.Seed).Shuffle(drawn);
        return ["plain", .. drawn[..others]];
    }

    public static async Task<GuestScripts> CopyAsync(ZfsHost host)
    {
        await host.StartAsync();
        await Copying.WaitAsync();
        try
        {
            if (!_copied)
                await SendAsync(host);
            _copied = true;
        }
        finally
        {
            Copying.Release();
        }

        return new GuestScripts(host);
    }

    /// <summary>Runs a script and returns its lines.</summary>
    public async Task<string[]> RunAsync(string script, object[] arguments, string input = "")
    {
        var line = $"POOL={_host.Pool} {Folder}/{script} {string.Join(' ', arguments)}";
        var result = await _host.RunAsync(line, Encoding.UTF8.GetBytes(input));
        Assert.True(result.ExitCode == 0, $"{line}\n{result.Output}\n{result.Error}");
        return result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>The files of a directory of the ZFS machine, by name.</summary>
    public async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(string folder)
    {
        var packed = Convert.FromBase64String(
            await _host.OutputAsync($"cd {folder} && tar -cf - $(find . -maxdepth 1 -type f) | gzip -1 | base64 -w0")
        );
        await using var tar = new TarReader(new GZipStream(new MemoryStream(packed), CompressionMode.Decompress));
        Dictionary<string, byte[]> files = [];
        while (await tar.GetNextEntryAsync() is { } entry)
        {
            using var contents = new MemoryStream();
            if (entry.DataStream is not null)
                await entry.DataStream.CopyToAsync(contents);
            files[Path.GetFileName(entry.Name)] = contents.ToArray();
        }

        return files;
    }

    private static async Task SendAsync(ZfsHost host)
    {
        (await host.RunAsync($"rm -rf {Folder} && mkdir -p {Folder}")).MustSucceed();
        foreach (
            var file in Directory.GetFiles(Path.Combine(Repository.Root, "tests", "SystemTests", "Streams", "guest"))
        )
        {
            (
                await host.RunAsync(
                    $"cat > {Folder}/{Path.GetFileName(file)} && chmod 755 {Folder}/{Path.GetFileName(file)}",
                    await File.ReadAllBytesAsync(file)
                )
            ).MustSucceed();
        }
    }
}
