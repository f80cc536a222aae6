using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Api;

public sealed class AnswerJsonTests
{
    private static readonly RotationPolicyAnswer Policy = new()
    {
        Success = true,
        Message = "",
        RotationPolicy = new RotationPolicy(),
        ServerManaged = true,
    };

    private static readonly UploadAnswer Upload = new()
    {
        Success = true,
        Message = "open",
        UploadId = "0123456789abcdef",
        UploadUrl = "/upload-stream/0123456789abcdef",
        UploadMethod = "POST",
        StorageKey = "c/tank_data_1.zfs.gz",
        PartSize = 8 << 20,
        MaxPartSize = 24 << 20,
        MaxParallelParts = 4,
        Resume = new UploadResume
        {
            NextPart = 2,
            StoredBytes = 1,
            StreamBytes = 1,
            State = "0",
        },
    };

    private static readonly UploadsAnswer Uploads = new()
    {
        Success = true,
        Message = "",
        Uploads =
        [
            new UploadInfo
            {
                UploadId = "u1",
                DatasetName = "tank/data",
                SnapshotName = "s1",
                SnapshotGuid = new SnapshotGuid(1),
                FromGuid = new SnapshotGuid(2),
                Compression = "gzip",
                SendFlags = ["-L"],
                TouchedAt = DateTimeOffset.UnixEpoch,
                Resume = Upload.Resume,
            },
        ],
    };

    private static readonly SnapshotsAnswer Snapshots = new()
    {
        Success = true,
        Message = "",
        Snapshots =
        [
            Backups.Make(1, null, "tank/data", raw: true, "-w") with
            {
                StorageKey = "k",
                CanBeBase = true,
                LockedUntil = DateTimeOffset.UnixEpoch,
            },
            Backups.Make(2, 1, "tank/data", raw: true, "-w") with
            {
                StorageKey = "k",
            },
        ],
    };

    private static readonly UploadStateAnswer State = new()
    {
        Success = true,
        Message = "",
        UploadId = "u1",
        State = "committed",
        StorageKey = "k",
        LastError = new ApiError
        {
            Success = false,
            Message = "why",
            Code = "internal_error",
            Status = 500,
        },
        Snapshot = Snapshots.Snapshots[0],
    };

    private static readonly StatusAnswer Status = new()
    {
        Success = true,
        Message = "",
        ClientId = "c",
        StorageType = "s3",
        UsedBytes = 1,
        MaxSizeBytes = 2,
        SnapshotCount = 1,
        OpenUploads = 1,
        ReservedBytes = 1,
        ExpiringCount = 0,
        Machines =
        [
            new MachineInfo
            {
                MachineId = "0123456789abcdef",
                MachineName = "web1",
                LastSeen = DateTimeOffset.UnixEpoch,
                RefusedDataset = "tank/data",
            },
        ],
    };

    private static readonly RotateAnswer Rotation = new()
    {
        Success = true,
        Message = "",
        DryRun = true,
        DeletedCount = 0,
        ReclaimedBytes = 0,
        ExpiringCount = 0,
        RotationPolicy = new RotationPolicy(),
        ServerManaged = true,
        Decisions =
        [
            new RotationItem
            {
                SnapshotId = "s",
                DatasetName = "d",
                SnapshotName = "n",
                SnapshotType = SnapshotType.Daily,
                Timestamp = DateTimeOffset.UnixEpoch,
                SizeBytes = 1,
                Action = "keep",
                Reason = "it is the newest",
            },
        ],
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Every field of every answer becomes everything that it can become in JSON.</summary>
    [Fact]
    public async Task An_answer_with_any_lie_is_read_or_refused_and_its_values_are_in_their_ranges()
    {
        var (read, refused) = (0, 0);
        await AllAsync(Snapshots, ApiJson.Default.SnapshotsAnswer, AnswerJson.Types.SnapshotsAnswer);
        await AllAsync(Uploads, ApiJson.Default.UploadsAnswer, AnswerJson.Types.UploadsAnswer);
        await AllAsync(Upload, ApiJson.Default.UploadAnswer, AnswerJson.Types.UploadAnswer);
        await AllAsync(State, ApiJson.Default.UploadStateAnswer, AnswerJson.Types.UploadStateAnswer);
        await AllAsync(Status, ApiJson.Default.StatusAnswer, AnswerJson.Types.StatusAnswer);
        await AllAsync(Policy, ApiJson.Default.RotationPolicyAnswer, AnswerJson.Types.RotationPolicyAnswer);
        await AllAsync(Rotation, ApiJson.Default.RotateAnswer, AnswerJson.Types.RotateAnswer);
        Assert.True(read > 100 && refused > 500, $"{read} were read, {refused} refused");

        async Task AllAsync<T>(T answer, JsonTypeInfo<T> written, JsonTypeInfo<T> type)
        {
            var honest = JsonSerializer.Serialize(answer, written);
            _ = await ReadAsync(honest, type);
            foreach (var lie in Lie.About(JsonNode.Parse(honest)!))
            {
                var told = JsonNode.Parse(honest)!;
                Assert.True(lie.Tell(told), $"{lie}");
                try
                {
                    AssertPrintable(await ReadAsync(told.ToJsonString(), type), written, lie);
                    read++;
                }
                catch (JsonException)
                {
                    refused++;
                }
            }
        }
    }

    [Theory]
    [InlineData("keep_hourly", -1)]
    [InlineData("keep_monthly", 1_000_001)]
    public async Task A_policy_that_nobody_means_is_refused(string field, int keep)
    {
        var text = JsonNode.Parse(JsonSerializer.Serialize(Policy, ApiJson.Default.RotationPolicyAnswer))!;
        text["rotation_policy"]![field] = keep;

        var refused = await Assert.ThrowsAsync<JsonException>(() =>
            ReadAsync(text.ToJsonString(), AnswerJson.Types.RotationPolicyAnswer)
        );

        Assert.Contains(
            $"rotation_policy: {field} is {keep}; expected 0 to 1000000",
            refused.Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_machine_that_is_null_is_refused()
    {
        var text = JsonNode.Parse(JsonSerializer.Serialize(Status, ApiJson.Default.StatusAnswer))!;
        text["machines"]!.AsArray().Add(null);

        _ = await Assert.ThrowsAsync<JsonException>(() =>
            ReadAsync(text.ToJsonString(), AnswerJson.Types.StatusAnswer)
        );
    }

    [Fact]
    public async Task Sizes_that_do_not_add_up_within_64_bits_are_refused()
    {
        var list = Snapshots with
        {
            Snapshots =
            [
                .. Enumerable
                    .Range(1, 5)
                    .Select(number => Snapshots.Snapshots[0] with { SnapshotId = $"{number}", SizeBytes = 1L << 60 }),
            ],
        };

        _ = await Assert.ThrowsAsync<JsonException>(() =>
            ReadAsync(JsonSerializer.Serialize(list, ApiJson.Default.SnapshotsAnswer), AnswerJson.Types.SnapshotsAnswer)
        );
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("a?b")]
    [InlineData("")]
    public async Task An_id_that_changes_the_path_of_a_request_is_refused(string id)
    {
        var text = JsonSerializer.Serialize(Upload with { UploadId = id }, ApiJson.Default.UploadAnswer);

        _ = await Assert.ThrowsAsync<JsonException>(() => ReadAsync(text, AnswerJson.Types.UploadAnswer));
    }

    [Fact]
    public async Task An_answer_is_read_up_to_a_limit()
    {
        using var endless = new StreamContent(new EndlessSpaces());

        var refused = await Assert.ThrowsAsync<InvalidDataException>(() =>
            AnswerJson.ReadAsync(endless, AnswerJson.Types.ApiAnswer, null, Token)
        );

        Assert.Contains($"{AnswerJson.MaxLength}", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"success\":true,\"message\":\"\\ud800\"}")]
    [InlineData("{\"success\":true,\"message\":\"")]
    [InlineData("{\"success\":1e400,\"message\":\"\"}")]
    [InlineData("null")]
    [InlineData("")]
    [InlineData("<html>")]
    public async Task What_is_no_JSON_is_refused(string text) =>
        _ = await Assert.ThrowsAnyAsync<JsonException>(() => ReadAsync(text, AnswerJson.Types.ApiAnswer));

    [Fact]
    public async Task A_character_set_that_does_not_exist_changes_nothing()
    {
        using var content = new ByteArrayContent("""{"success":true,"message":"ok"}"""u8.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Type", "application/json; charset=none-such");

        var answer = await AnswerJson.ReadAsync(content, AnswerJson.Types.ApiAnswer, null, Token);

        Assert.Equal("ok", answer.Message);
    }

    private static async Task<T> ReadAsync<T>(string text, JsonTypeInfo<T> type)
    {
        using var content = new StringContent(text, Encoding.UTF8, "application/json");
        return await AnswerJson.ReadAsync(content, type, null, Token);
    }

    private static void AssertPrintable<T>(T answer, JsonTypeInfo<T> type, Lie lie)
    {
        using var written = JsonDocument.Parse(JsonSerializer.Serialize(answer, type));
        foreach (var text in TextsOf(written.RootElement))
            Assert.False(text.Any(char.IsControl), $"{lie}: {text}");
    }

    private static IEnumerable<string> TextsOf(JsonElement element) =>
        element.ValueKind switch
        {
            JsonValueKind.Object => element.EnumerateObject().SelectMany(field => TextsOf(field.Value)),
            JsonValueKind.Array => element.EnumerateArray().SelectMany(TextsOf),
            JsonValueKind.String => [element.GetString()!],
            _ => [],
        };

    /// <summary>White space before an answer that never comes.</summary>
    private sealed class EndlessSpaces : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            buffer.Span.Fill((byte)' ');
            return ValueTask.FromResult(buffer.Length);
        }
    }
}
