using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.RestoreChain;

namespace ZfsSnapshotManager.UnitTests.Restore;

public sealed class PropertyPlanTests
{
    [Fact]
    public void What_was_set_on_the_source_is_set_and_what_would_mount_or_share_is_not()
    {
        var plan = PropertyPlan.Make(
            Source(
                own: new()
                {
                    ["quota"] = "1048576",
                    ["org:note"] = "one\ntwo",
                    ["mountpoint"] = "/srv/db",
                    ["sharenfs"] = "on",
                    ["casesensitivity"] = "mixed",
                }
            ),
            Here([])
        );

        Assert.Equal([new("org:note", "one\ntwo"), new("quota", "1048576")], plan.Set);
        Assert.Equal(["casesensitivity", "mountpoint", "sharenfs"], plan.Skipped.Keys);
        Assert.Contains("/srv/db", plan.Skipped["mountpoint"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("zfs-snapshot-manager:replaces")]
    [InlineData("zfs-snapshot-manager:restore")]
    [InlineData("zfs-snapshot-manager:client")]
    public void Marks_of_these_programs_are_never_set(string name)
    {
        var plan = PropertyPlan.Make(Source(own: new() { [name] = "1 mounted on /etc/cron.d" }), Here([]));

        Assert.Empty(plan.Set);
        Assert.Equal("it is a mark of these programs", plan.Skipped[name]);
    }

    [Fact]
    public void Counters_and_the_places_of_keys_in_older_backups_are_passed_over_without_a_word()
    {
        var plan = PropertyPlan.Make(
            Source(
                own: new()
                {
                    ["filesystem_count"] = "3",
                    ["snapshot_count"] = "9",
                    ["keylocation"] = "https://keys.example/?token=secret",
                }
            ),
            Here([])
        );

        Assert.Empty(plan.Set);
        Assert.Empty(plan.Skipped);
    }

    [Fact]
    public void What_the_source_had_inherited_is_set_where_the_copy_behaves_otherwise()
    {
        var plan = PropertyPlan.Make(
            Source(
                effective: new()
                {
                    ["acltype"] = ("posix", "inherited"),
                    ["xattr"] = ("sa", "inherited"),
                    ["recordsize"] = ("1048576", "inherited"),
                    ["atime"] = ("on", "default"),
                    ["encryption"] = ("aes-256-gcm", "none"),
                    ["utf8only"] = ("on", "inherited"),
                }
            ),
            Here([
                ("acltype", "off"),
                ("xattr", "sa"),
                ("recordsize", "131072"),
                ("atime", "off"),
                ("encryption", "off"),
                ("utf8only", "off"),
            ])
        );

        Assert.Equal([new("acltype", "posix"), new("recordsize", "1048576")], plan.Set);
    }

    [Fact]
    public void Differences_are_told_with_both_values()
    {
        var differences = PropertyPlan.FindDifferences(
            Source(
                effective: new()
                {
                    ["acltype"] = ("posix", "inherited"),
                    ["atime"] = ("on", "default"), // has a meaning, whoever chose it
                    ["compression"] = ("lz4", "default"), // the pool's own choice
                    ["encryption"] = ("aes-256-gcm", "none"),
                    ["recordsize"] = ("1048576", "local"),
                    ["sync"] = ("standard", "default"),
                    ["unheard"] = ("of", "local"),
                    ["longname"] = ("on", "local"), // this ZFS does not know it
                }
            ),
            Here([
                ("acltype", "off"),
                ("atime", "off"),
                ("compression", "zstd"),
                ("encryption", "off"),
                ("recordsize", "131072"),
                ("sync", "standard"),
            ])
        );

        Assert.Equal(
            ["acltype posix off", "atime on off", "encryption aes-256-gcm off", "recordsize 1048576 131072"],
            differences.Select(found => $"{found.Property} {found.SourceValue} {found.RestoredValue}")
        );
        Assert.Equal("whether access control lists are enforced", differences[0].Decides);
    }

    [Fact]
    public void Old_and_new_names_of_one_value_are_no_difference() =>
        Assert.Empty(
            PropertyPlan.FindDifferences(
                Source(effective: new() { ["acltype"] = ("posixacl", "local") }),
                Here([("acltype", "posix")])
            )
        );

    [Fact]
    public void Of_an_older_backup_the_properties_of_the_dataset_itself_are_compared() =>
        Assert.Equal(
            "xattr",
            Assert
                .Single(
                    PropertyPlan.FindDifferences(
                        Source(own: new() { ["xattr"] = "sa", ["org:note"] = "x" }),
                        Here([("xattr", "on")])
                    )
                )
                .Property
        );

    private static Dictionary<string, DatasetProperty> Here((string Name, string Value)[] values) =>
        values.ToDictionary(
            value => value.Name,
            value => new DatasetProperty(value.Value, PropertySource.Default),
            StringComparer.Ordinal
        );

    private static Manifest Source(
        Dictionary<string, string>? own = null,
        Dictionary<string, (string Value, string Source)>? effective = null
    ) =>
        new()
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
            ReceivedAt = DateTimeOffset.UnixEpoch,
            Compression = "none",
            Raw = false,
            SendFlags = [],
            Features = [],
            StoredBytes = 1,
            StreamBytes = 1,
            RecordCount = 2,
            EndChecksum = "1:2:3:4",
            PartsSha256 = "ab",
            Objects = [],
            Properties = own,
            EffectiveProperties = effective?.ToDictionary(
                property => property.Key,
                property => new EffectiveProperty { Value = property.Value.Value, Source = property.Value.Source },
                StringComparer.Ordinal
            ),
        };
}
