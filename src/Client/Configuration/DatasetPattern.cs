using System.IO.Enumeration;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Client.Configuration;

/// <summary>
/// Matches datasets to exclude: a dataset and its descendants. Within a component, <c>*</c> matches any characters and
/// <c>?</c> one character.
/// </summary>
internal sealed class DatasetPattern
{
    private readonly string[] _components;

    private DatasetPattern(string text) => _components = text.Split('/');

    /// <exception cref="FormatException">No dataset can have such a name.</exception>
    public static DatasetPattern Parse(string text)
    {
        var plain = text.Replace("*", "x", StringComparison.Ordinal).Replace('?', 'x');
        return DatasetName.TryParse(plain, out _, out var fault)
            ? new DatasetPattern(text)
            : throw new FormatException($"'{text}' matches no dataset name: {fault}");
    }

    /// <param name="dataset">A dataset's name, as ZFS has it.</param>
    public bool Matches(string dataset)
    {
        var components = dataset.Split('/');
        return components.Length >= _components.Length
            && _components
                .Zip(components)
                .All(pair => FileSystemName.MatchesSimpleExpression(pair.First, pair.Second, ignoreCase: false));
    }
}
