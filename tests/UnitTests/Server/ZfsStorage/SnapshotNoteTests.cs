using System.Text.Json;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Maintenance;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.UnitTests.Server.ZfsStorage;

public sealed class SnapshotNoteTests
{
    internal static readonly SnapshotNote Note = new()
    {
        SnapshotId = "web1/tank_data_2026-02-13_14:30:00",
        Manifest = new Manifest
        {
            FormatVersion = 1,
            UploadId = "u",
            ClientId = "web1",
            DatasetName = "tank/data",
            SnapshotName = "monday",
            SnapshotGuid = new SnapshotGuid(7),
            FromGuid = null,
            DatasetType = "filesystem",
            Timestamp = DateTimeOffset.UnixEpoch,
            ReceivedAt = DateTimeOffset.UnixEpoch.AddDays(1),
            Compression = "none",
            Raw = false,
            SendFlags = ["-L"],
            Features = ["LargeBlocks"],
            StoredBytes = 100,
            StreamBytes = 200,
            RecordCount = 3,
            EndChecksum = "1:2:3:4",
            PartsSha256 = "ab",
            SnapshotType = SnapshotType.Daily,
            Objects = [],
        },
    };

    [Theory]
    [InlineData(null)]
    [InlineData(5UL)]
    public void A_note_is_read_back_from_one_line_that_ZFS_can_store(ulong? from)
    {
        var note = Note with
        {
            Manifest = Note.Manifest with { FromGuid = from is { } guid ? new SnapshotGuid(guid) : null },
        };
        var json = note.ToJson();

        Assert.DoesNotContain('\n', json);
        Assert.DoesNotContain('\t', json);
        Assert.True(json.All(char.IsAscii));
        var read = SnapshotNote.Parse(json);
        Assert.Equal(json, read.ToJson());
        Assert.Empty(
            new ListedBackup("web1", note.ToSnapshotInfo("b/web1/d@x")).DifferencesFrom(
                new ListedBackup("web1", read.ToSnapshotInfo("b/web1/d@x"))
            )
        );
    }

    [Fact]
    public void A_note_with_the_longest_names_fits_into_a_property()
    {
        var longest = Note with
        {
            SnapshotId = new string('a', 300),
            Manifest = Note.Manifest with { DatasetName = new string('b', 255), SnapshotName = new string('ü', 120) },
        };

        Assert.InRange(longest.ToJson().Length, 1, ZfsStorageProperties.LongestValue);
    }

    [Fact]
    public void Properties_are_recorded_while_they_fit_and_the_longest_ones_left_out_are_named()
    {
        var properties = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["a:long"] = new string('x', 8000),
            ["b:umlauts"] = new string('ü', 1300),
            ["compression"] = "zstd",
            ["z:note"] = new string('y', 700),
        };

        var note = With(properties).Fit();

        Assert.False(note.IsTooLong);
        Assert.InRange(note.ToJson().Length, 1, ZfsStorageProperties.LongestValue);
        Assert.Equal(["a:long", "b:umlauts"], note.Manifest.PropertiesLeftOut);
        Assert.Equal(["compression", "z:note"], note.Manifest.Properties!.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(note.ToJson(), SnapshotNote.Parse(note.ToJson()).ToJson());
    }

    [Fact]
    public void Properties_that_fit_are_all_recorded()
    {
        var note = With(
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["a:long"] = new string('x', 7000),
                ["compression"] = "zstd",
            }
        );

        Assert.Equal(note.ToJson(), note.Fit().ToJson());
        Assert.DoesNotContain("left_out", note.ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_too_long_for_a_note_do_not_prevent_it()
    {
        var note = With(
                Enumerable
                    .Range(0, 200)
                    .ToDictionary(
                        number => $"org.example:{number}{new string('n', 60)}",
                        _ => "v",
                        StringComparer.Ordinal
                    )
            )
            .Fit();

        Assert.False(note.IsTooLong);
        Assert.Null(note.Manifest.Properties);
        Assert.Equal(["*"], note.Manifest.PropertiesLeftOut);
    }

    [Fact]
    public void How_a_dataset_behaves_is_recorded_and_of_what_does_not_fit_only_its_encryption()
    {
        var effective = new Dictionary<string, EffectiveProperty>(StringComparer.Ordinal)
        {
            ["acltype"] = new() { Value = "posix", Source = "inherited" },
            ["encryption"] = new() { Value = "aes-256-gcm", Source = "none" },
        };
        var note = Note with { Manifest = Note.Manifest with { EffectiveProperties = effective } };
        effective["recordsize"] = new EffectiveProperty { Value = new string('1', 8000), Source = "local" };

        var cut = note.Fit();

        Assert.Equal(["encryption"], cut.Manifest.EffectiveProperties!.Keys);
        effective.Remove("recordsize");
        var read = SnapshotNote.Parse(note.Fit().ToJson());
        Assert.Equal(["acltype", "encryption"], read.Manifest.EffectiveProperties!.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("inherited", read.Manifest.EffectiveProperties["acltype"].Source);
    }

    [Fact]
    public async Task The_manifest_of_a_note_is_read_as_one_of_a_backup_in_ZFS_and_not_as_one_of_objects()
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(Note.Manifest, ManifestJson.Default.Manifest);

        Assert.Equal(Note.Manifest.PartsSha256, Manifest.ParseLocal(json).PartsSha256);
        var fault = await Assert.ThrowsAsync<JsonException>(() =>
            ManifestReader.ReadAsync(new MemoryStream(json), (_, _) => { }, TestContext.Current.CancellationToken)
        );
        Assert.Equal("objects is empty", fault.Message);
        Assert.Contains(
            "format_version",
            Assert
                .Throws<JsonException>(() =>
                    Manifest.ParseLocal(
                        JsonSerializer.SerializeToUtf8Bytes(
                            Note.Manifest with
                            {
                                FormatVersion = 3,
                            },
                            ManifestJson.Default.Manifest
                        )
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_backup_in_ZFS_restores_alone()
    {
        var backup = (Note with { Manifest = Note.Manifest with { FromGuid = new SnapshotGuid(5) } }).ToSnapshotInfo(
            "backup/web1/tank_data@monday"
        );

        Assert.Null(backup.FromGuid);
        Assert.Equal(StorageTypes.Local, backup.StorageType);
        Assert.Equal("backup/web1/tank_data@monday", backup.StorageKey);
        Assert.Equal(SnapshotType.Daily, backup.SnapshotType);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"snapshot_id":"a"}""")]
    public void Anything_but_a_note_is_reported_as_none(string json) =>
        Assert.ThrowsAny<JsonException>(() => SnapshotNote.Parse(json));

    [Fact]
    public void A_note_of_another_client_or_snapshot_is_ignored()
    {
        var snapshot = new ReceivedSnapshot(
            SnapshotName.Parse("b/web1/d@x"),
            new SnapshotGuid(7),
            1,
            0,
            "",
            100,
            Note.ToJson()
        );

        Assert.NotNull(ZfsSurvey.Judge("web1", snapshot).Backup);
        Assert.Null(ZfsSurvey.Judge("web2", snapshot).Backup);
        Assert.Null(ZfsSurvey.Judge("web1", snapshot with { Guid = new SnapshotGuid(8) }).Backup);
        Assert.False(ZfsSurvey.Judge("web1", snapshot with { Note = null }).HasManifest);
    }

    private static SnapshotNote With(IReadOnlyDictionary<string, string> properties) =>
        Note with
        {
            Manifest = Note.Manifest with { Properties = properties },
        };
}
