using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

public sealed class StorageKeyTests
{
    private static readonly DateTimeOffset Time = new(2024, 2, 13, 14, 30, 0, TimeSpan.Zero);

    [Fact]
    public void A_key_has_the_format_of_the_first_program()
    {
        var (id, key) = StorageKey
            .Candidates("client1", DatasetName.Parse("tank/data"), Time, CompressionFormat.Gzip)
            .First();

        Assert.Equal("client1/tank_data_2024-02-13_14:30:00", id);
        Assert.Equal("client1/tank_data_2024-02-13_14:30:00.zfs.gz", key);
    }

    [Fact]
    public void Times_are_in_UTC()
    {
        var (id, _) = StorageKey
            .Candidates("c", DatasetName.Parse("t"), Time.ToOffset(TimeSpan.FromHours(-9)), CompressionFormat.None)
            .First();

        Assert.Equal("c/t_2024-02-13_14:30:00", id);
    }

    [Fact]
    public void Colliding_names_get_numbers()
    {
        var keys = StorageKey
            .Candidates("c", DatasetName.Parse("t"), Time, CompressionFormat.None)
            .Take(3)
            .Select(k => k.StorageKey);

        Assert.Equal(
            ["c/t_2024-02-13_14:30:00.zfs", "c/t_2024-02-13_14:30:00~2.zfs", "c/t_2024-02-13_14:30:00~3.zfs"],
            keys
        );
    }

    [Fact]
    public void Long_names_fit_into_a_file_name_and_stay_distinct()
    {
        var first = Key("tank/" + new string('a', 249) + "1");
        var second = Key("tank/" + new string('a', 249) + "2");

        Assert.NotEqual(first, second);
        Assert.InRange((first.Split('/')[1] + ".manifest.json").Length, 1, 230); // 255 less what a temporary name adds

        static string Key(string dataset) =>
            StorageKey.Candidates("c", DatasetName.Parse(dataset), Time, CompressionFormat.Gzip).First().StorageKey;
    }
}
