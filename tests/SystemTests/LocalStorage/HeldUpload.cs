using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.LocalStorage;

/// <summary>
/// An upload of one part, sent with curl: between its part and its completion ZFS has all of it except the END, as long
/// as a test needs.
/// </summary>
internal sealed class HeldUpload
{
    private readonly LocalLab _lab;
    private readonly string _file;
    private readonly string _id;

    private HeldUpload(LocalLab lab, string id) => (_lab, _id, _file) = (lab, id, $"{lab.Folder}/{id}");

    /// <param name="line">Shell that prints the stream.</param>
    public static async Task<HeldUpload> AnnounceAsync(LocalLab lab, string line)
    {
        var answer = await lab.CurlAsync("-d '{\"dataset_name\":\"tank/sent\",\"compression\":\"none\"}' URL/upload");
        var upload = new HeldUpload(lab, answer.MustSucceed().Json.GetProperty("upload_id").GetString()!);
        await lab.Host.OutputAsync($"{line} > {upload._file}");
        return upload;
    }

    /// <summary>PUT of its only part.</summary>
    public async Task<CurlAnswer> SendAsync()
    {
        var digest = await _lab.Host.OutputAsync(
            $"printf \"$(sha256sum {_file} | cut -c1-64 | sed 's/../\\\\x&/g')\" | base64 -w0"
        );
        return await _lab.CurlAsync(
            $"-X PUT -T {_file} -H 'Content-Digest: sha-256=:{digest}:' URL/upload-stream/{_id}/parts/1"
        );
    }

    public async Task<CurlAnswer> CompleteAsync()
    {
        var whole = (
            await _lab.Host.OutputAsync(
                $"printf \"$(sha256sum {_file} | cut -c1-64 | sed 's/../\\\\x&/g')\" | sha256sum | cut -c1-64; stat "
                    + $"-c %s {_file}"
            )
        ).Split('\n');
        return await _lab.CurlAsync(
            $"-d '{{\"parts\":1,\"stream_bytes\":{whole[1]},\"parts_sha256\":\"{whole[0]}\"}}' "
                + $"URL/upload-stream/{_id}/complete"
        );
    }

    public Task<CurlAnswer> DropAsync() => _lab.CurlAsync($"-X DELETE URL/upload-stream/{_id}");

    /// <summary>
    /// POST of all of it in one body, whose last bytes wait until a file <c>go</c> exists in the server's directory.
    /// </summary>
    public System.Diagnostics.Process StartBody() =>
        _lab.Host.Start(
            $"{{ head -c -1000 {_file}; until [ -e {_lab.Folder}/go ]; do {ZfsHost.Pause}; done; tail -c 1000 "
                + $"{_file}; }} | curl -s -o {_file}.answer -w '%{{http_code}}' -H 'X-API-Key: {_lab.Client.Key}' "
                + $"-X POST -T - {_lab.Url}/upload-stream/{_id}"
        );

    /// <summary>Kills the curl of <see cref="StartBody"/>, and lets what feeds it end.</summary>
    public Task<string> KillBodyAsync() =>
        _lab.Host.OutputAsync(
            $"for p in $(pgrep -x curl); do grep -qz '^{_file}.answer$' /proc/$p/cmdline && kill -9 $p; done; touch "
                + $"{_lab.Folder}/go"
        );

    /// <summary>The response to <see cref="StartBody"/>.</summary>
    public async Task<CurlAnswer> AnswerAsync(System.Diagnostics.Process body)
    {
        var status = await body.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        return new CurlAnswer(
            int.Parse(status, System.Globalization.CultureInfo.InvariantCulture),
            await _lab.Host.OutputAsync($"cat {_file}.answer")
        );
    }
}
