namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>A property of a dataset, as <c>zfs get -p</c> prints it.</summary>
/// <param name="Value">The value.</param>
/// <param name="Source">Where it comes from.</param>
public readonly record struct DatasetProperty(string Value, PropertySource Source);

/// <summary>Where the value of a property comes from.</summary>
public enum PropertySource
{
    /// <summary>It can be set neither on this dataset nor on one above it ("-").</summary>
    None,

    /// <summary>Nobody set it.</summary>
    Default,

    /// <summary>It was set on a dataset above this one.</summary>
    Inherited,

    /// <summary>It came with a stream (<c>zfs send -p</c>).</summary>
    Received,

    /// <summary>It was set on the dataset itself.</summary>
    Local,
}

/// <summary>What is stored of a dataset's properties.</summary>
public sealed record DatasetPropertySet
{
    /// <summary>
    /// What was set on the dataset itself, or came with a stream, and can be set elsewhere: values by name.
    /// </summary>
    public required IReadOnlyDictionary<string, string> Own { get; init; }

    /// <summary>What decides how the dataset behaves (<see cref="BehaviourProperty"/>), wherever it was set.</summary>
    public required IReadOnlyDictionary<string, DatasetProperty> Behaviour { get; init; }

    /// <summary>The names of own properties whose values are no UTF-8, so that they cannot be told exactly.</summary>
    public required IReadOnlyList<string> Unreadable { get; init; }
}
