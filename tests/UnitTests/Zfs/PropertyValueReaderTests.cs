using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.UnitTests.Zfs;

public sealed class PropertyValueReaderTests
{
    private const int Native = 40;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Plain_values_take_two_commands()
    {
        var zfs = new FakeZfs(100);

        Assert.Equal(zfs.Expected, await zfs.ReadAsync(Token));
        Assert.Equal(2, zfs.Commands);
    }

    [Theory]
    [InlineData("one\ntwo")]
    [InlineData("one\ttwo")]
    [InlineData("\n")]
    [InlineData("a\ntank/d050\tnative07\tb")] // imitates a row
    public async Task One_odd_value_of_a_hundred_datasets_takes_few_commands(string odd)
    {
        var zfs = new FakeZfs(100);
        zfs.Set("tank/d042", "org:note", odd);

        Assert.Equal(zfs.Expected, await zfs.ReadAsync(Token));
        Assert.InRange(zfs.Commands, 3, 40);
    }

    [Fact]
    public async Task An_odd_value_that_all_inherit_takes_few_commands()
    {
        var zfs = new FakeZfs(100);
        zfs.Set("tank/d000", "org:note", "one\ntwo");
        for (var i = 1; i < 100; i++)
            zfs.Set($"tank/d{i:000}", "org:note", "one\ntwo", "inherited from tank/d000");

        Assert.Equal(zfs.Expected, await zfs.ReadAsync(Token));
        Assert.InRange(zfs.Commands, 3, 40);
    }

    [Fact]
    public async Task Odd_values_everywhere_are_read_exactly()
    {
        var zfs = new FakeZfs(3);
        foreach (var dataset in (string[])["tank/d000", "tank/d001", "tank/d002"])
        {
            zfs.Set(dataset, "org:a", $"a\n{dataset}\torg:b\tx\n");
            zfs.Set(dataset, "org:b", "\t\t");
            zfs.Set(dataset, "mountpoint", "/a\nb");
        }

        Assert.Equal(zfs.Expected, await zfs.ReadAsync(Token));
    }

    [Fact]
    public async Task Names_too_long_for_one_command_are_read_by_several()
    {
        var zfs = new FakeZfs(100);
        for (var i = 0; i < 100; i++)
        for (var j = 0; j < 5; j++)
            zfs.Set($"tank/d{i:000}", $"org:{new string('n', 240)}{i}-{j}", "1");
        zfs.Set("tank/d042", "org:note", "one\ntwo");

        Assert.Equal(zfs.Expected, await zfs.ReadAsync(Token));
        Assert.InRange(zfs.LongestCommand, 1, 128 * 1024);
    }

    [Fact]
    public async Task A_property_that_is_not_wanted_may_be_odd()
    {
        var zfs = new FakeZfs(100);
        for (var i = 0; i < 100; i++)
            zfs.Set($"tank/d{i:000}", "org:note", "one\ntwo", "inherited from tank");

        Assert.Equal(zfs.Expected, await zfs.ReadAsync(Token));
        Assert.Equal(3, zfs.Commands);
    }

    /// <summary>Prints as <c>zfs get</c> does.</summary>
    private sealed class FakeZfs
    {
        private readonly SortedDictionary<string, SortedDictionary<string, (string Value, string Source)>> _datasets =
            new(StringComparer.Ordinal);

        public FakeZfs(int datasets)
        {
            for (var i = 0; i < datasets; i++)
            for (var j = 0; j < Native; j++)
                Set($"tank/d{i:000}", $"native{j:00}", $"{i * j}", "default");
        }

        public int Commands { get; private set; }

        public int LongestCommand { get; private set; }

        /// <summary>What is wanted, exactly.</summary>
        public IEnumerable<string> Expected =>
            _datasets.SelectMany(dataset =>
                dataset
                    .Value.Where(property => IsWanted(property.Key, property.Value.Source))
                    .Select(property => $"{dataset.Key} {property.Key} {property.Value.Value}")
            );

        public void Set(string dataset, string name, string value, string source = "local")
        {
            if (!_datasets.TryGetValue(dataset, out var properties))
                properties = _datasets[dataset] = new(StringComparer.Ordinal);
            properties[name] = (value, source);
        }

        public async Task<IEnumerable<string>> ReadAsync(CancellationToken cancellationToken)
        {
            var reader = new PropertyValueReader((arguments, _) => Task.FromResult(Run(arguments)));
            var found = await reader.ReadAsync(
                [.. _datasets.Keys],
                row => IsWanted(row.Name, row.Source == PropertySource.Local ? "local" : ""),
                cancellationToken
            );
            return found.Select(property => $"{property.Row.Dataset} {property.Row.Name} {property.Value}");
        }

        private static bool IsWanted(string name, string source) =>
            name.StartsWith("native", StringComparison.Ordinal) || source == "local";

        private string Run(IReadOnlyList<string> arguments)
        {
            Commands++;
            if (arguments is not ["get", "-H", "-p", "-o", var columns, var wanted, ..])
                throw new ArgumentException(string.Join(" ", arguments), nameof(arguments));
            if (wanted != "all")
                LongestCommand = Math.Max(LongestCommand, arguments.Sum(argument => argument.Length + 1));
            var rows = arguments
                .Skip(6)
                .SelectMany(dataset =>
                    (wanted == "all" ? _datasets[dataset].Keys : wanted.Split(',').AsEnumerable()).Select(name =>
                        (dataset, name)
                    )
                );
            return string.Concat(rows.Select(row => Print(row.dataset, row.name, columns) + "\n"));
        }

        private string Print(string dataset, string name, string columns)
        {
            var (value, source) = _datasets[dataset].GetValueOrDefault(name, ("-", "-"));
            return string.Join(
                '\t',
                columns
                    .Split(',')
                    .Select(column =>
                        column switch
                        {
                            "name" => dataset,
                            "property" => name,
                            "value" => value,
                            _ => source,
                        }
                    )
            );
        }
    }
}
