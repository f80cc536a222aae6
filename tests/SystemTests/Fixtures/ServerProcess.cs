using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>A real zfs-server on this machine's loopback, with a folder of its own.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private static int _lastPort = Random.Shared.Next(10000);

    private readonly Dictionary<string, string> _environment;
    private readonly uint? _user;
    private Process? _process;
    private StreamWriter? _log;

    private ServerProcess(IReadOnlyDictionary<string, string>? settings, uint? user = null)
    {
        _user = user;
        Folder = Repository.NewFolder("server");
        Port = FreePort();
        _environment = new Dictionary<string, string>(
            settings ?? new Dictionary<string, string>(StringComparer.Ordinal),
            StringComparer.Ordinal
        )
        {
            ["PORT"] = Port.ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
        _environment.TryAdd("BIND_ADDRESS", "127.0.0.1");
        Http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{Port}/"), Timeout = Patience.Of(300) };
    }

    public string Folder { get; }

    public string DataFolder => Path.Combine(Folder, "zfs-server-data");

    public int Port { get; }

    /// <summary>Speaks to the server without any key.</summary>
    public HttpClient Http { get; }

    public int ProcessId => _process!.Id;

    public string Log
    {
        get
        {
            using var file = new FileStream(
                Path.Combine(Folder, "log"),
                FileMode.Open,
                FileAccess.Read,
                FileShare.ReadWrite
            );
            return new StreamReader(file).ReadToEnd();
        }
    }

    /// <summary>
    /// Waits until the log holds these words: what the server has said comes through a pipe, a moment later.
    /// </summary>
    public Task MustLogAsync(string words) =>
        Patience.UntilAsync($"the log says '{words}'", () => Log.Contains(words, StringComparison.Ordinal));

    public static async Task<ServerProcess> StartAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        var server = new ServerProcess(settings);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts a server that runs as another user than root, who runs the commands.</summary>
    /// <param name="prepare">Prepares its folder, which belongs to that user.</param>
    public static async Task<ServerProcess> StartAsAsync(
        uint user,
        Func<string, IReadOnlyDictionary<string, string>>? prepare = null
    )
    {
        var server = new ServerProcess(null, user);
        var settings = prepare?.Invoke(server.Folder);
        foreach (var (key, value) in settings ?? new Dictionary<string, string>(StringComparer.Ordinal))
            server._environment[key] = value;
        (await Command.RunAsync("chown", [$"{user}:{user}", server.Folder])).MustSucceed();
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts the server where it does not run, on the same folder and port.</summary>
    /// <param name="more">Settings beside those of the first start.</param>
    /// <param name="recovers">Whether to wait until it has recovered what it can of its last run.</param>
    public async Task StartAgainAsync(IReadOnlyDictionary<string, string>? more = null, bool recovers = true)
    {
        var environment = new Dictionary<string, string>(_environment, StringComparer.Ordinal);
        foreach (var (key, value) in more ?? new Dictionary<string, string>(StringComparer.Ordinal))
            environment[key] = value;
        var program = Repository.Program("zfs-server");
        if (_user is { } user)
            _process = Command.Start(
                "setpriv",
                [$"--reuid={user}", $"--regid={user}", "--clear-groups", program],
                Folder,
                environment
            );
        else
            _process = Command.Start(program, [], Folder, environment);
        _log ??= new StreamWriter(
            new FileStream(Path.Combine(Folder, "log"), FileMode.Append, FileAccess.Write, FileShare.Read)
        )
        {
            AutoFlush = true,
        };
        _process.OutputDataReceived += WriteLog;
        _process.ErrorDataReceived += WriteLog;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await WaitForHealthAsync();
        if (recovers)
            await Patience.UntilAsync("the server has recovered", async () =>
                (await RecoveryAsync())?.Contains("every hour", StringComparison.Ordinal) ?? true
            );
    }

    /// <summary>What <c>/ready</c> says about the recovery; null if nothing is left.</summary>
    public async Task<string?> RecoveryAsync()
    {
        var ready = (await Answer.ReadAsync(await Http.GetAsync("ready"))).Json;
        var check = ready.GetProperty("checks").EnumerateArray().Last();
        Assert.Equal("recovery", check.GetProperty("name").GetString());
        return check.TryGetProperty("message", out var message) ? message.GetString() : null;
    }

    /// <summary>SIGKILL: what a crash or a power cut leaves of a process.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, as systemd stops a service.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> StopAsync()
    {
        (await Command.RunAsync("kill", ["-TERM", $"{_process!.Id}"])).MustSucceed();
        await Patience.WaitForEndAsync(_process, "zfs-server, after SIGTERM", 30);
        return _process.ExitCode;
    }

    public bool HasEnded => _process!.HasExited;

    public Task WaitForExitAsync() => Patience.WaitForEndAsync(_process!, "zfs-server");

    /// <summary>Runs <c>zfs-server …</c> as an administrator does, beside the running one.</summary>
    public Task<CommandResult> RunAsync(params string[] arguments) => RunWithAsync([], arguments);

    /// <summary>The same with settings that differ from the server's.</summary>
    public Task<CommandResult> RunWithAsync((string Key, string Value)[] settings, params string[] arguments)
    {
        var environment = new Dictionary<string, string>(_environment, StringComparer.Ordinal);
        foreach (var (key, value) in settings)
            environment[key] = value;
        return Command.RunAsync(Repository.Program("zfs-server"), arguments, Folder, environment);
    }

    /// <returns>The new client's key.</returns>
    public async Task<string> AddClientAsync(string id, params string[] options)
    {
        var added = (await RunAsync(["client", "add", id, "--json", .. options])).MustSucceed();
        return CommandJson.Result(added.Output).GetProperty("api_key").GetString()!;
    }

    /// <summary>An HTTP client that shows a key in the headers.</summary>
    public HttpClient As(string id, string key)
    {
        var http = new HttpClient { BaseAddress = Http.BaseAddress, Timeout = Http.Timeout };
        http.DefaultRequestHeaders.Add("X-Client-ID", id);
        http.DefaultRequestHeaders.Add("X-API-Key", key);
        http.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        return http;
    }

    /// <summary>
    /// Names and sizes of the files of the store: objects, manifests, and what is on its way in, but not the mark of
    /// the catalogue.
    /// </summary>
    public IReadOnlyList<string> StoredFiles() =>
        [
            .. ((string[])["objects", "incoming"])
                .Select(folder => Path.Combine(DataFolder, folder))
                .Where(Directory.Exists)
                .SelectMany(folder => Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
                .Where(path => Path.GetFileName(path) != "zfs-server.json")
                .Select(path => $"{Path.GetRelativePath(DataFolder, path)} {new FileInfo(path).Length}")
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>Most memory that the process ever held, in bytes.</summary>
    public long PeakMemory() => ProcessMemory.Peak(ProcessId);

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process?.Dispose();
        if (_log is not null)
            await _log.DisposeAsync();
        Http.Dispose();
        // The log stays: whether the test has failed is not known yet.
        foreach (var folder in Directory.GetDirectories(Folder))
            Directory.Delete(folder, recursive: true);
    }

    private void WriteLog(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is null)
            return;
        lock (Http)
            _log!.WriteLine(line.Data);
    }

    private async Task WaitForHealthAsync()
    {
        for (var attempt = 0; ; attempt++)
        {
            if (_process!.HasExited)
                throw new InvalidOperationException($"zfs-server ended with exit code {_process.ExitCode}\n{Log}");
            try
            {
                if ((await Http.GetAsync("health")).StatusCode == HttpStatusCode.OK)
                    return;
            }
            catch (Exception e) when (BrokenConnection.Is(e) && attempt < 6000 * Patience.Factor)
            {
                await Task.Delay(10);
            }
        }
    }

    /// <summary>
    /// One for each server, also while it does not run: one that another server takes meanwhile would answer for it.
    /// Below the range that the kernel gives to connections.
    /// </summary>
    internal static int FreePort()
    {
        while (true)
        {
            var port = 10000 + (int)((uint)Interlocked.Increment(ref _lastPort) % 10000);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody else's: the next one.
            }
        }
    }
}
