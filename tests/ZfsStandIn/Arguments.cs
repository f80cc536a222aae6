namespace ZfsSnapshotManager.ZfsStandIn;

/// <summary>Options as getopt(3) reads them, and what stands behind them.</summary>
internal sealed class Arguments
{
    private readonly List<(char Option, string Value)> _options = [];

    /// <param name="arguments">What stands behind the command.</param>
    /// <param name="known">The letters of its options; those with a value are followed by a colon.</param>
    public Arguments(string[] arguments, string known)
    {
        var index = 0;
        while (index < arguments.Length && arguments[index] is ['-', _, ..] word)
        {
            index++;
            for (var at = 1; at < word.Length; at++)
            {
                var place = known.IndexOf(word[at], StringComparison.Ordinal);
                if (word[at] == ':' || place < 0)
                    throw ZfsFailure.Usage($"invalid option '{word[at]}'");
                if (place + 1 >= known.Length || known[place + 1] != ':')
                {
                    _options.Add((word[at], ""));
                    continue;
                }

                var value = word[(at + 1)..];
                if (value.Length == 0)
                    value = index < arguments.Length ? arguments[index++] : throw ZfsFailure.Usage("missing argument");
                _options.Add((word[at], value));
                break;
            }
        }

        Names = arguments[index..];
    }

    /// <summary>What is no option.</summary>
    public string[] Names { get; }

    /// <summary>The only name.</summary>
    public string Name => Names.Length == 1 ? Names[0] : throw ZfsFailure.Usage("wrong number of arguments");

    public bool Has(char option) => _options.Any(given => given.Option == option);

    public string? Find(char option) => All(option).LastOrDefault();

    public IEnumerable<string> All(char option) =>
        _options.Where(given => given.Option == option).Select(given => given.Value);

    /// <summary>The values of an option, <c>property=value</c> each.</summary>
    public IEnumerable<(string Name, string Value)> Properties(char option) => All(option).Select(ReadProperty);

    public static (string Name, string Value) ReadProperty(string text) =>
        text.Split('=', 2) is [{ Length: > 0 } name, var value]
            ? (name, value)
            : throw ZfsFailure.Usage("missing '=' for property=value argument");
}
