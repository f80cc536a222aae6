using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Restore.RestoreChain;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>How a backup that is not raw is received below an encrypted dataset.</summary>
public sealed class EncryptionPlanTests
{
    [Theory]
    [InlineData(nameof(PlainEncryption.AsSource), false, nameof(EncryptionChoice.Off))]
    [InlineData(nameof(PlainEncryption.AsSource), true, nameof(EncryptionChoice.Inherit))]
    [InlineData(nameof(PlainEncryption.AsSource), null, nameof(EncryptionChoice.Unknown))]
    [InlineData(nameof(PlainEncryption.Inherit), false, nameof(EncryptionChoice.Inherit))]
    [InlineData(nameof(PlainEncryption.Off), true, nameof(EncryptionChoice.Off))]
    [InlineData(nameof(PlainEncryption.Off), null, nameof(EncryptionChoice.Off))]
    public void It_is_as_its_source_was_unless_something_else_was_asked_for(
        string wanted,
        bool? source,
        string choice
    ) => Assert.Equal(choice, EncryptionPlan.Make(Enum.Parse<PlainEncryption>(wanted), source).ToString());

    [Fact]
    public void The_manifest_says_whether_the_source_was_encrypted()
    {
        Assert.False(EncryptionPlan.WasEncrypted(With("off")));
        Assert.True(EncryptionPlan.WasEncrypted(With("aes-256-gcm")));
        Assert.True(EncryptionPlan.WasEncrypted(Manifest(raw: true)));
    }

    [Fact]
    public void An_older_manifest_only_says_it_of_a_dataset_with_a_key_of_its_own()
    {
        Assert.Null(EncryptionPlan.WasEncrypted(Manifest(raw: false)));
        Assert.True(
            EncryptionPlan.WasEncrypted(
                Manifest(raw: false) with
                {
                    Properties = new Dictionary<string, string> { ["keylocation"] = "prompt" },
                }
            )
        );
    }

    private static Manifest With(string encryption) =>
        Manifest(raw: false) with
        {
            EffectiveProperties = new Dictionary<string, EffectiveProperty>
            {
                ["encryption"] = new() { Value = encryption, Source = "none" },
            },
        };

    private static Manifest Manifest(bool raw) =>
        new()
        {
            FormatVersion = Core.Manifests.Manifest.CurrentFormatVersion,
            UploadId = "u",
            ClientId = "c",
            DatasetName = "tank/data",
            SnapshotName = "s",
            SnapshotGuid = new SnapshotGuid(1),
            FromGuid = null,
            DatasetType = "filesystem",
            Timestamp = DateTimeOffset.UnixEpoch,
            ReceivedAt = DateTimeOffset.UnixEpoch,
            Compression = "none",
            Raw = raw,
            SendFlags = [],
            Features = [],
            StoredBytes = 1,
            StreamBytes = 1,
            RecordCount = 1,
            EndChecksum = "",
            PartsSha256 = "",
            Objects = [],
        };
}
