using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Text.Json;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;

// Speaks as much of zfs-server's HTTP as a backup needs, and throws away what it gets: for measuring the one who sends.
// PUT /discard takes any body from other tools.
// usage: DiscardServer PORT PART_MEBIBYTES
if (args is not [var port, var partMebibytes] || !int.TryParse(partMebibytes, out var mebibytes))
{
    Console.Error.WriteLine("usage: DiscardServer PORT PART_MEBIBYTES");
    return 2;
}

var uploads = new ConcurrentDictionary<string, UploadRequest>();
var stored = new ConcurrentDictionary<string, long>();
var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.Limits.MaxRequestBodySize = null;
    kestrel.Limits.MinRequestBodyDataRate = null;
    kestrel.Limits.MaxRequestBufferSize = 1024 * 1024;
    kestrel.ListenLocalhost(int.Parse(port, System.Globalization.CultureInfo.InvariantCulture));
});
var app = builder.Build();
app.MapGet("/snapshots", context => context.Response.WriteAsJsonAsync(
        new SnapshotsAnswer
        {
            Success = true,
            Message = "",
            Snapshots = [],
        },
        ApiJson.Default.SnapshotsAnswer
    ));
app.MapGet("/uploads", context => context.Response.WriteAsJsonAsync(
        new UploadsAnswer
        {
            Success = true,
            Message = "",
            Uploads = [],
        },
        ApiJson.Default.UploadsAnswer
    ));
app.MapPut("/discard", async context => await DiscardAsync(context.Request.BodyReader));
app.MapPost("/upload", AnnounceAsync);
app.MapPut("/upload-stream/{id}/parts/{number}", TakePartAsync);
app.MapPost("/upload-stream/{id}/complete", CompleteAsync);
await app.RunAsync();
return 0;

async Task AnnounceAsync(HttpContext context)
{
    var request = (await JsonSerializer.DeserializeAsync(context.Request.Body, ApiJson.Default.UploadRequest))!;
    var id = Guid.NewGuid().ToString("N");
    uploads[id] = request;
    var answer = new UploadAnswer
    {
        Success = true,
        Message = "",
        UploadId = id,
        UploadUrl = $"/upload-stream/{id}",
        UploadMethod = "POST",
        StorageKey = id,
        PartSize = mebibytes << 20,
        MaxPartSize = (mebibytes + 18) << 20,
        MaxParallelParts = 8,
    };
    await context.Response.WriteAsJsonAsync(answer, ApiJson.Default.UploadAnswer);
}

async Task TakePartAsync(HttpContext context, string id, string number)
{
    var size = await DiscardAsync(context.Request.BodyReader);
    stored.AddOrUpdate(id, size, (_, sum) => sum + size);
    var (start, end) = (
        context.Request.Headers["X-Part-Start"].ToString(),
        context.Request.Headers["X-Part-End"].ToString()
    );
    var answer = new PartAnswer
    {
        Success = true,
        Message = "",
        Part = int.Parse(number, System.Globalization.CultureInfo.InvariantCulture),
        SizeBytes = (int)size,
        StreamBytes = OffsetOf(end) - OffsetOf(start),
        State = end,
    };
    await context.Response.WriteAsJsonAsync(answer, ApiJson.Default.PartAnswer);
}

async Task CompleteAsync(HttpContext context, string id)
{
    var request = (await JsonSerializer.DeserializeAsync(context.Request.Body, ApiJson.Default.CompleteRequest))!;
    var upload = uploads[id];
    Console.WriteLine($"{stored[id]} bytes stored of {request.StreamBytes}");
    var snapshot = new SnapshotInfo
    {
        SnapshotId = id,
        StorageKey = id,
        DatasetName = upload.DatasetName!,
        SnapshotName = upload.SnapshotName ?? "",
        SnapshotGuid = upload.SnapshotGuid ?? new SnapshotGuid(1),
        DatasetType = "filesystem",
        Timestamp = DateTimeOffset.UnixEpoch,
        ReceivedAt = DateTimeOffset.UnixEpoch,
        SizeBytes = stored[id],
        StreamBytes = request.StreamBytes,
        Compression = upload.Compression ?? "gzip",
        Raw = false,
        Features = [],
        SendFlags = [],
        PartsSha256 = request.PartsSha256,
    };
    await context.Response.WriteAsJsonAsync(
        new UploadStateAnswer
        {
            Success = true,
            Message = "",
            UploadId = id,
            State = "committed",
            StorageKey = id,
            Snapshot = snapshot,
        },
        ApiJson.Default.UploadStateAnswer
    );
}

static long OffsetOf(string state) =>
    state.Split(',') is [_, var offset, ..] ? long.Parse(offset, System.Globalization.CultureInfo.InvariantCulture) : 0;

static async Task<long> DiscardAsync(PipeReader body)
{
    var size = 0L;
    while (true)
    {
        var read = await body.ReadAsync();
        size += read.Buffer.Length;
        body.AdvanceTo(read.Buffer.End);
        if (read.IsCompleted)
            return size;
    }
}
