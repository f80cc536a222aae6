using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.ZfsStorage;
using ZfsSnapshotManager.UnitTests.Chains;

namespace ZfsSnapshotManager.UnitTests.Server.ZfsStorage;

public sealed class ZfsDownloadsTests
{
    private static readonly SnapshotInfo Backup = Backups.Full(7) with
    {
        StorageType = StorageTypes.Local,
        StorageKey = "backup/web1/tank_data@one",
    };

    private static readonly ResumeToken Right = new()
    {
        Object = 5,
        Offset = 131072,
        Bytes = 4096,
        SnapshotGuid = 7,
        FullSnapshotName = "backup/web1/tank_data@one",
        LargeBlocks = true,
    };

    [Fact]
    public void A_token_of_the_backup_is_used_unchanged() =>
        Assert.Equal(Right.ToString(), ZfsDownloads.RebuildToken(Right.ToString(), Backup));

    [Fact]
    public void A_token_of_anything_else_is_refused()
    {
        ResumeToken[] wrong =
        [
            Right with
            {
                SnapshotGuid = 8,
            },
            Right with
            {
                FullSnapshotName = "backup/web2/tank_data@one",
            },
            Right with
            {
                FullSnapshotName = "rpool/root@one",
            },
            Right with
            {
                BaseGuid = 3,
            },
            Right with
            {
                Raw = true,
            },
        ];

        Assert.All(wrong, token =>
            Assert.Equal(
                "token_mismatch",
                Assert.Throws<RequestException>(() => ZfsDownloads.RebuildToken(token.ToString(), Backup)).Error.Code
            )
        );
    }

    [Fact]
    public void Anything_but_a_token_is_refused() =>
        Assert.Equal(
            "bad_request",
            Assert.Throws<RequestException>(() => ZfsDownloads.RebuildToken("-R tank", Backup)).Error.Code
        );

    [Fact]
    public void A_backup_is_sent_with_the_flags_of_its_chain_and_large_blocks()
    {
        Assert.Equal(["-L"], ZfsDownloads.FlagsOf(Backup with { SendFlags = [] }));
        Assert.Equal(
            ["-c", "-L", "-w"],
            ZfsDownloads.FlagsOf(Backup with { SendFlags = ["-c", "-L", "--props"], Raw = true })
        );
    }
}
