using ZfsSnapshotManager.Core.Chains;

namespace ZfsSnapshotManager.UnitTests.Chains;

public sealed class ChainTreeTests
{
    [Fact]
    public void Chains_are_flat_and_forks_are_indented()
    {
        using var text = new StringWriter { NewLine = "\n" };

        ChainTree.Write(
            text,
            [
                Backups.Full(1),
                Backups.Incremental(2, 1),
                Backups.Incremental(3, 2),
                Backups.Incremental(4, 2),
                Backups.Full(9, "a/b"),
                Backups.Incremental(8, 77),
            ]
        );

        Assert.Equal(
            """
            a/b
              chain of 1, 1 B
                * 1970-01-01 09:00  c/a_b_9  manual, 1 B
            tank/data
              chain of 4, 4 B
                * 1970-01-01 01:00  c/tank_data_1  manual, 1 B
                + 1970-01-01 02:00  c/tank_data_2_from_1  manual, 1 B
                  + 1970-01-01 03:00  c/tank_data_3_from_2  manual, 1 B
                  + 1970-01-01 04:00  c/tank_data_4_from_2  manual, 1 B
              chain of 1, 1 B, broken: its base is missing
                + 1970-01-01 08:00  c/tank_data_8_from_77  manual, 1 B

            """.ReplaceLineEndings("\n"),
            text.ToString()
        );
    }
}
