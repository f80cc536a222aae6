using System.Net;
using ZfsSnapshotManager.SystemTests.Fixtures;
using ZfsSnapshotManager.SystemTests.Rotation;

namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>
/// A server whose data directory is reset to one prepared state before each crash: some backups are committed, and the
/// upload of one more is open.
/// </summary>
internal sealed class CrashLab : IAsyncDisposable
{
    private const ulong OldGuid = 1;

    private readonly string[] _kept;
    private readonly string _sent;
    private readonly string _prepared;

    private CrashLab(ServerProcess server, Uploader client, string[] kept, string sent)
    {
        (Server, Client, _kept, _sent) = (server, client, kept, sent);
        _prepared = Path.Combine(server.Folder, "prepared");
    }

    public ServerProcess Server { get; }

    public Uploader Client { get; }

    /// <summary>The open upload.</summary>
    public string UploadId { get; private set; } = "";

    private string LogFile => Path.Combine(Server.Folder, "calls");

    private string MarkFile => Path.Combine(Server.Folder, "mark");

    /// <summary>An incremental is about to be uploaded, whose base is committed.</summary>
    public static Task<CrashLab> WithBaseAsync() => CreateAsync(["full"], "incremental-1", _ => Task.CompletedTask);

    /// <summary>A client's very first backup is about to be uploaded.</summary>
    public static Task<CrashLab> WithoutBackupsAsync() => CreateAsync([], "full", _ => Task.CompletedTask);

    /// <summary>
    /// As <see cref="WithBaseAsync"/>, with an older full backup of the same dataset, which a rotation may delete.
    /// </summary>
    public static Task<CrashLab> WithOldBackupAsync() =>
        CreateAsync(
            ["full"],
            "incremental-1",
            _ => Task.CompletedTask,
            async lab =>
                await lab.Client.StoreAsync(
                    StreamChain.Stream(OldGuid, 0, Recorded.CreatedAt(Recorded.Get("full")).AddDays(-3), blocks: 4),
                    Recorded.Get("full").Snapshot.Split('@')[0]
                )
        );

    /// <summary>
    /// As <see cref="WithBaseAsync"/>, with a catalogue's log so long that the commit also checkpoints it into the
    /// database.
    /// </summary>
    public static Task<CrashLab> WithLongLogAsync() =>
        CreateAsync(["full"], "incremental-1", lab => CatalogueLog.FillAsync(lab));

    /// <summary>
    /// Resets the data directory and runs the server with a crash at a call between the start of <paramref name="act"/>
    /// and its end.
    /// </summary>
    /// <param name="act">What a client does meanwhile; returns whether it got its answer.</param>
    /// <returns>Whether the client got its answer, and the calls up to there.</returns>
    public async Task<(bool Acknowledged, IReadOnlyList<CountedCall> Calls)> CrashAsync(
        CrashPoint point,
        Func<Task<bool>> act
    )
    {
        await Server.KillAsync();
        Directory.Delete(Server.DataFolder, recursive: true);
        CopyFolder(_prepared, Server.DataFolder);
        await Server.StartAgainAsync(await CrashLibrary.SettingsAsync(point, Server.DataFolder, LogFile, MarkFile));
        await File.WriteAllTextAsync(MarkFile, "");
        var acknowledged = await act();
        if (point.Ends)
            await AssertCrashedAsync(point);
        else if (point.Moment == CrashMoment.Full) // a full disk takes no events
            await Patience.UntilAsync("the disk is full", () => File.ReadLines(LogFile).Skip(point.Call - 1).Any());
        else
            await Events.UntilDeliveredAsync(Server); // the calls until then are those of every run
        return (acknowledged, CountedCall.ReadLog(LogFile));
    }

    /// <summary>Starts the server again after a crash, with another crash at a call of its start.</summary>
    /// <returns>The calls of the start; up to the crash, if there is one.</returns>
    public async Task<IReadOnlyList<CountedCall>> StartWithCrashAsync(CrashPoint point)
    {
        await Server.KillAsync();
        try
        {
            await Server.StartAgainAsync(await CrashLibrary.SettingsAsync(point, Server.DataFolder, LogFile));
        }
        catch (Exception e) when ((e is InvalidOperationException || BrokenConnection.Is(e)) && point.Ends)
        {
            // It did not start, as the crash intends.
        }

        if (point.Ends)
            await AssertCrashedAsync(point);
        return CountedCall.ReadLog(LogFile);
    }

    /// <summary>Sends the stream.</summary>
    /// <returns>Whether the backup was acknowledged to the client.</returns>
    public async Task<bool> SendAsync()
    {
        try
        {
            return (await Client.SendAsync(UploadId, Recorded.Gzip(_sent))).Status == HttpStatusCode.OK;
        }
        catch (Exception e) when (BrokenConnection.Is(e))
        {
            return false; // the server was killed
        }
    }

    /// <summary>Sends the stream as a part and completes it; parts that the server has are not sent again.</summary>
    /// <returns>Whether the backup was acknowledged to the client.</returns>
    public async Task<bool> SendInPartsAsync()
    {
        var part = CutParts.Cut(Recorded.Get(_sent).Bytes, int.MaxValue, new Random(1));
        try
        {
            var asked = await Client.AskAsync(Recorded.Announce(Recorded.Get(_sent), "gzip"));
            if (asked.Code == "snapshot_exists")
                return true;
            if (!asked.MustSucceed().Json.TryGetProperty("resume", out _))
                (await Client.SendPartAsync(UploadId, part.Parts[0])).MustSucceed();
            return (await Client.CompleteAsync(UploadId, part)).Status == HttpStatusCode.OK;
        }
        catch (Exception e) when (e is InvalidOperationException || BrokenConnection.Is(e))
        {
            return false; // the server was killed, or reported that its disk failed
        }
    }

    /// <summary>As <see cref="RecoverAsync"/>, for a client that resumes its upload in parts.</summary>
    public async Task RecoverInPartsAsync(bool acknowledged)
    {
        await Server.KillAsync();
        await Server.StartAgainAsync();
        Assert.True(
            !acknowledged || (await ListAsync()).ContainsKey(_sent),
            $"{_sent} was acknowledged and is not listed"
        );
        Assert.True(await SendInPartsAsync(), "the client could not go on");
        await AssertWholeAsync(acknowledged: true);
        Assert.Equal(0, (await Client.GetAsync("status")).MustSucceed().Json.GetProperty("open_uploads").GetInt32());
    }

    /// <summary>Rotates by a policy that keeps only what must be kept.</summary>
    public async Task<bool> RotateAsync()
    {
        using var policy = new StringContent(
            """{"rotation_policy":{"keep_hourly":0,"keep_daily":0,"keep_weekly":0,"keep_monthly":0}}"""
        );
        try
        {
            var rotated = (await Answer.ReadAsync(await Client.Http.PostAsync("rotate", policy))).MustSucceed();
            if (rotated.Json.GetProperty("deleted_count").GetInt32() != 1)
                return false;
        }
        catch (Exception e) when (e is InvalidOperationException || BrokenConnection.Is(e))
        {
            return false; // the server was killed, or reported that its disk failed
        }

        try
        {
            await WaitForDeletionsAsync();
        }
        catch (Exception e) when (BrokenConnection.Is(e))
        {
            // It was killed after its answer.
        }

        return true;
    }

    /// <summary>Waits until the server's job has deleted what is no longer listed.</summary>
    private Task WaitForDeletionsAsync() => Patience.UntilAsync("what was rotated is deleted", async () =>
        {
            var status = (await Client.GetAsync("status")).MustSucceed().Json;
            var listed = (await Client.GetAsync("snapshots")).MustSucceed().Json.GetProperty("snapshots");
            return status.GetProperty("used_bytes").GetInt64()
                == listed.EnumerateArray().Sum(backup => backup.GetProperty("size_bytes").GetInt64());
        });

    /// <summary>Whether the old backup of <see cref="WithOldBackupAsync"/> is listed.</summary>
    public async Task<bool> HasOldAsync() => (await ListAsync()).ContainsKey("old");

    public async Task<bool> AbortAsync()
    {
        try
        {
            return (await Client.DeleteAsync($"upload-stream/{UploadId}")).Status == HttpStatusCode.OK;
        }
        catch (Exception e) when (BrokenConnection.Is(e))
        {
            return false;
        }
    }

    /// <summary>
    /// Starts the server as it is after a crash and checks its state; then the client repeats its upload, and all
    /// backups must exist.
    /// </summary>
    /// <param name="acknowledged">Whether the backup was acknowledged to the client.</param>
    public async Task RecoverAsync(bool acknowledged)
    {
        await Server.KillAsync();
        await Server.StartAgainAsync();
        await AssertWholeAsync(acknowledged, verifies: CrashSweep.IsSoak);
        await RepeatAsync();
    }

    /// <summary>The same without a restart.</summary>
    public async Task RepeatAsync()
    {
        var wasListed = (await ListAsync()).ContainsKey(_sent);
        var asked = await Client.AskAsync(Recorded.Announce(Recorded.Get(_sent), "gzip"));
        if (asked.Code == "snapshot_exists")
        {
            // The request already finished what an earlier attempt left complete.
        }
        else if (wasListed)
        {
            asked.AssertRefused(HttpStatusCode.Conflict, "snapshot_exists");
        }
        else
        {
            // It may also be refused because it exists: a server may finish what an earlier attempt left complete.
            var sent = await Client.SendAsync(
                asked.MustSucceed().Json.GetProperty("upload_id").GetString()!,
                Recorded.Gzip(_sent)
            );
            Assert.True(
                sent.Status == HttpStatusCode.OK || sent.Code == "snapshot_exists",
                $"the repeated upload: {(int)sent.Status} {sent.Text}"
            );
        }

        await AssertWholeAsync(acknowledged: true);
        Assert.Equal(0, (await Client.GetAsync("status")).MustSucceed().Json.GetProperty("open_uploads").GetInt32());
    }

    /// <summary>
    /// What holds at any time after a start: the earlier backups exist; the new one exists if it was acknowledged, and
    /// may exist otherwise; the store holds exactly the listed backups.
    /// </summary>
    /// <param name="acknowledged">Whether the backup was acknowledged to the client.</param>
    /// <param name="verifies">False if a later check verifies the same files and more.</param>
    public async Task AssertWholeAsync(bool acknowledged, bool verifies = true)
    {
        var listed = await ListAsync();
        foreach (var stream in _kept)
            Assert.True(listed.ContainsKey(stream), $"{stream} is no longer listed");
        if (acknowledged)
            Assert.True(listed.ContainsKey(_sent), $"{_sent} was acknowledged and is not listed");
        await WaitForDeletionsAsync();
        StoreCheck.AssertHoldsFiles(Server, listed.Values);
        await Events.AssertHasEachCommitOnceAsync(Server, listed.Values);
        if (verifies)
            await StoreCheck.AssertVerifiesAsync(Client);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
    }

    private static async Task<CrashLab> CreateAsync(
        string[] kept,
        string sent,
        Func<CrashLab, Task> prepare,
        Func<CrashLab, Task>? first = null
    )
    {
        var server = await ServerProcess.StartAsync(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DELETE_DELAY_HOURS"] = "0" }
        );
        var lab = new CrashLab(server, await Uploader.CreateAsync(server), kept, sent);
        if (first is not null)
            await first(lab);
        foreach (var stream in kept)
        {
            var upload = await lab.Client.AnnounceAsync(Recorded.Announce(Recorded.Get(stream), "gzip"));
            (await lab.Client.SendAsync(upload, Recorded.Gzip(stream))).MustSucceed();
        }

        lab.UploadId = await lab.Client.AnnounceAsync(Recorded.Announce(Recorded.Get(sent), "gzip"));
        await prepare(lab);
        await Events.UntilDeliveredAsync(server);
        await server.KillAsync();
        CopyFolder(server.DataFolder, lab._prepared);
        return lab;
    }

    /// <returns>The storage keys of the streams that are listed.</returns>
    private async Task<IReadOnlyDictionary<string, string>> ListAsync()
    {
        var names = _kept.Append(_sent).ToDictionary(name => $"{Recorded.Get(name).Guid}");
        var snapshots = (await Client.GetAsync("snapshots"))
            .MustSucceed()
            .Json.GetProperty("snapshots")
            .EnumerateArray();
        return snapshots.ToDictionary(
            s => names.GetValueOrDefault(s.GetProperty("snapshot_guid").GetString()!, "old"),
            s => s.GetProperty("storage_key").GetString()!
        );
    }

    /// <exception cref="PointNotReachedException">The server has done all that it had to do, and lives.</exception>
    private async Task AssertCrashedAsync(CrashPoint point)
    {
        // Events are delivered after the answer, and two at once need fewer calls than one after the other.
        var quiet = TimeProvider.System.GetTimestamp();
        long size = 0;
        await Patience.UntilAsync($"the server crashed at call {point.Call}, or has nothing left to do", () =>
        {
            if (Server.HasEnded)
                return true;
            if (new FileInfo(LogFile) is { Exists: true } log && log.Length != size)
                (size, quiet) = (log.Length, TimeProvider.System.GetTimestamp());
            return TimeProvider.System.GetElapsedTime(quiet) > Patience.Of(10);
        });
        if (!Server.HasEnded && CountedCall.ReadLog(LogFile).Count < point.Call)
        {
            await Events.UntilDeliveredAsync(Server); // otherwise it hangs
            throw new PointNotReachedException();
        }

        await Server.WaitForExitAsync();
        var last = CountedCall.ReadLog(LogFile) is [.., var call] ? call : null;
        Assert.True(
            last is { IsLast: true } && last.Number == point.Call,
            $"the server did not crash at this call; its last one: {last?.ToString() ?? "none"}"
        );
    }

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var folder in Directory.GetDirectories(from, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
    }
}
