using ZfsSnapshotManager.Server.Quota;

namespace ZfsSnapshotManager.UnitTests.Server.Rotation;

public sealed class ExpectedSizeTests
{
    private const long Gigabyte = 1_000_000_000;

    [Theory]
    [InlineData(null, false, null, 0)] // curl says nothing
    [InlineData(80L * Gigabyte, false, null, 70L * Gigabyte)] // zfs send may have estimated too much
    [InlineData(80L * Gigabyte, true, null, 0)] // it may compress to anything
    [InlineData(80L * Gigabyte, true, 0.5, 20L * Gigabyte)] // and better than the others of its dataset
    [InlineData(long.MaxValue, false, null, long.MaxValue / 4)]
    public void What_is_certain_when_an_upload_is_announced(
        long? estimate,
        bool isCompressed,
        double? share,
        long expected
    ) => Assert.Equal(expected, ExpectedSize.WhenAnnounced(estimate, isCompressed, share));

    [Theory]
    [InlineData(null, false, null, 0, 0, 0)]
    [InlineData(80L * Gigabyte, false, null, 0, 0, 70L * Gigabyte)]
    [InlineData(80L * Gigabyte, true, null, 0, 0, 20L * Gigabyte)] // a guess, but nothing is deleted by mistake
    [InlineData(80L * Gigabyte, true, 0.5, 0, 0, 20L * Gigabyte)]
    [InlineData(80L * Gigabyte, true, 0.5, 1000, 100_000, 20L * Gigabyte)] // its first metadata says nothing
    [InlineData(80L * Gigabyte, true, null, 1_000_000, 1_000_000, 70L * Gigabyte)]
    [InlineData(80L * Gigabyte, true, 0.5, Gigabyte, 10L * Gigabyte, 7L * Gigabyte)] // what arrived says most
    public void What_is_expected_before_backups_are_deleted_for_it(
        long? estimate,
        bool isCompressed,
        double? share,
        long stored,
        long streamed,
        long expected
    ) => Assert.Equal(expected, ExpectedSize.BeforeDeletion(estimate, isCompressed, share, stored, streamed));
}
