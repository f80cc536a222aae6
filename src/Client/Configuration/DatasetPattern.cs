using System.IO.Enumeration;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>
/// Names datasets that are left out: a dataset and all below it. Within a component <c>*</c> stands for any characters
/// and <c>?</c> for one.
/// </summary>
internal sealed class DatasetPattern
{
    private readonly string[] _components;

    private DatasetPattern(string text) => _components = text.Split('/');

    /// <exception cref="FormatException">No dataset can be called so.</exception>
    public static DatasetPattern Parse(string text)
    {
        var plain = text.Replace("*", "x", StringComparison.Ordinal).Replace('?', 'x');
        return DatasetName.TryParse(plain, out _, out var fault)
            ? new DatasetPattern(text)
            : throw new FormatException($"'{text}' fits no dataset: {fault}");
    }

    public bool Matches(DatasetName dataset)
    {
        var components = dataset.Value.Split('/');
        return components.Length >= _components.Length
            && _components
                .Zip(components)
                .All(pair => FileSystemName.MatchesSimpleExpression(pair.First, pair.Second, ignoreCase: false));
    }
}
