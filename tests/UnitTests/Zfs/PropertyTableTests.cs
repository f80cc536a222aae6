using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class PropertyTableTests
{
    private static readonly IReadOnlyList<PropertyRow> Rows = PropertyTable.ParseNames(
        "tank/d\tquota\tlocal\ntank/d\trecordsize\tinherited from tank\ntank/d\torg:x\tlocal\n"
    );

    [Fact]
    public void Sources_are_read()
    {
        var rows = PropertyTable.ParseNames(
            "t\ta\tlocal\nt\tb\treceived\nt\tc\tdefault\nt\td\tinherited from tank/a b\nt\te\t-\n"
        );

        Assert.Equal(
            [
                PropertySource.Local,
                PropertySource.Received,
                PropertySource.Default,
                PropertySource.Inherited,
                PropertySource.None,
            ],
            rows.Select(row => row.Source)
        );
    }

    [Fact]
    public void Plain_values_are_read_with_the_blanks_at_their_end() =>
        Assert.Equal(
            ["0", "131072", "a = \"b\" "],
            PropertyTable.FindValues("tank/d\tquota\t0\ntank/d\trecordsize\t131072\ntank/d\torg:x\ta = \"b\" \n", Rows)
        );

    [Fact]
    public void An_empty_value_is_a_value() =>
        Assert.Equal(
            ["0", "131072", ""],
            PropertyTable.FindValues("tank/d\tquota\t0\ntank/d\trecordsize\t131072\ntank/d\torg:x\t\n", Rows)
        );

    [Theory]
    [InlineData("one\ntwo")] // a line break
    [InlineData("one\n")]
    [InlineData("\n")]
    [InlineData("one\ttwo")] // a tab
    [InlineData("a\ntank/d\tquota\t1048576")] // imitates a row
    [InlineData("a\ntank/d\torg:x\tb")] // imitates its own row
    public void Values_that_break_rows_or_columns_are_not_believed(string odd)
    {
        Assert.Null(
            PropertyTable.FindValues($"tank/d\tquota\t0\ntank/d\trecordsize\t131072\ntank/d\torg:x\t{odd}\n", Rows)
        );
        var first = PropertyTable.ParseNames("tank/d\torg:a\tlocal\ntank/d\tquota\tlocal\n");
        Assert.Null(PropertyTable.FindValues($"tank/d\torg:a\t{odd}\ntank/d\tquota\t0\n", first));
    }

    [Fact]
    public void Rows_of_other_properties_are_not_believed() =>
        Assert.Null(PropertyTable.FindValues("tank/d\tquota\t0\ntank/d\torg:x\t1\ntank/d\trecordsize\t131072\n", Rows));

    [Fact]
    public void A_row_without_its_columns_is_refused() =>
        Assert.Throws<FormatException>(() => PropertyTable.ParseNames("tank/d\tquota\n"));
}
