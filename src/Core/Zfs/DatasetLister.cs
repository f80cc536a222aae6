using System.Text.RegularExpressions;
using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// Lists datasets with what must be known of them before they are snapshotted, in a few commands for all.
/// </summary>
/// <param name="zfs">Where they are.</param>
/// <param name="roots">The named datasets.</param>
/// <param name="recursive">Whether their descendants are included.</param>
public sealed partial class DatasetLister(ZfsHost zfs, IReadOnlyCollection<DatasetName> roots, bool recursive)
{
    /// <summary>User property of a dataset that an unfinished restore writes to.</summary>
    public const string RestoreProperty = "zfs-snapshot-manager:restore";

    /// <summary>User property of the datasets in which a server stores the backups of a client.</summary>
    public const string StorageProperty = "zfs-snapshot-manager:client";

    /// <summary>Property by which users exclude datasets from snapshot tools (zfs-auto-snapshot and others).</summary>
    public const string AutoSnapshotProperty = "com.sun:auto-snapshot";

    private static readonly string[] FixedColumns = ["name", "type", "encryption"];

    private readonly Dictionary<string, DatasetFacts> _found = new(StringComparer.Ordinal);
    private readonly List<(string Name, OperationException Failure)> _failures = [];

    /// <summary>
    /// Columns that not every ZFS has: <c>inconsistent</c> is hidden (module/zcommon/zfs_prop.c), <c>redact_snaps</c>
    /// came with 2.0.
    /// </summary>
    private readonly List<string> _optionalColumns = ["inconsistent", "redact_snaps"];

    private string[] Scope => recursive ? ["-r", "-t", "filesystem,volume"] : ["-t", "filesystem,volume"];

    /// <exception cref="OperationException">None can be listed, and not by what they are: <c>zfs</c> does not run, or
    /// the other machine cannot be reached.</exception>
    public async Task<DatasetListing> ListAsync(CancellationToken cancellationToken)
    {
        var refusals = await ListFoundAsync(cancellationToken);
        foreach (var root in roots.Where(root => !_found.ContainsKey(root.Value)))
            _failures.Add((root.Value, refusals.Find(root) ?? Unlisted(root)));
        if (_found.Count > 0)
        {
            await ReadUsesAsync(cancellationToken);
            await ReadAutoSnapshotAsync(cancellationToken);
        }

        return new DatasetListing(
            [.. _found.Values.OrderBy(facts => facts.Name.Value, StringComparer.Ordinal)],
            _failures
        );
    }

    private static OperationException Unlisted(DatasetName root) =>
        new(ExitCode.Zfs, $"zfs does not list {root}.", "Check the name with 'zfs list'.");

    private async Task<ZfsRefusals> ListFoundAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var columns = string.Join(',', [.. FixedColumns, .. _optionalColumns]);
                return await RunAsync(["list", "-H", "-p", .. Scope, "-o", columns], AddRow, cancellationToken);
            }
            catch (ZfsException e)
                when (InvalidProperty().Match(e.StandardError) is { Success: true } match
                    && _optionalColumns.Remove(match.Groups["name"].Value)
                )
            {
                // A ZFS that does not know the column; the next attempt is without it.
            }
        }
    }

    private void AddRow(string[] row)
    {
        if (row.Length != FixedColumns.Length + _optionalColumns.Count)
            return;
        if (!DatasetName.TryParse(row[0], out var name, out var fault))
        {
            AddOddName(row[0], fault);
            return;
        }

        _found.TryAdd(
            name.Value,
            new DatasetFacts(name, row[1] == "volume", row[2] is not ("off" or "-"))
            {
                IsIncomplete = Column(row, "inconsistent") == "1",
                IsRedacted = Column(row, "redact_snaps") is not ("" or "-"),
            }
        );
    }

    private string Column(string[] row, string name)
    {
        var index = _optionalColumns.IndexOf(name);
        return index < 0 ? "" : row[FixedColumns.Length + index];
    }

    private void AddOddName(string name, string fault)
    {
        if (_failures.Exists(failure => failure.Name == name))
            return;
        _failures.Add(
            (
                name,
                new OperationException(
                    ExitCode.Zfs,
                    $"The name '{name}' is not one that these programs pass to zfs: {fault}.",
                    $"Rename it: zfs rename '{name}' '{name.TrimEnd(' ')}', or exclude it (EXCLUDE with '?' or '*' in "
                        + "place of the odd character)."
                )
            )
        );
    }

    /// <summary>
    /// Only marks that were set on a dataset itself count, for it and all below it: those that came with a replica are
    /// of another machine.
    /// </summary>
    private async Task ReadUsesAsync(CancellationToken cancellationToken)
    {
        string[] arguments = ["get", "-H", "-p", .. Scope, "-s", "local", "-o", "property,name"];
        var marks = new Dictionary<string, DatasetUse>(StringComparer.Ordinal);
        await RunAsync(
            [.. arguments, $"{RestoreProperty},{StorageProperty}"],
            row =>
            {
                if (row is [RestoreProperty or StorageProperty, var name])
                    marks[name] = row[0] == RestoreProperty ? DatasetUse.Restore : DatasetUse.Storage;
            },
            cancellationToken
        );
        if (marks.Count == 0)
            return;
        foreach (var facts in _found.Values.ToList())
        {
            var mark = AtAndAbove(facts.Name.Value).FirstOrDefault(marks.ContainsKey);
            if (mark is not null)
                _found[facts.Name.Value] = facts with { Use = marks[mark], MarkedDataset = mark };
        }
    }

    private async Task ReadAutoSnapshotAsync(CancellationToken cancellationToken)
    {
        string[] arguments = ["get", "-H", "-p", .. Scope, "-s", "local,received,inherited", "-o", "value,source,name"];
        await RunAsync(
            [.. arguments, AutoSnapshotProperty],
            row =>
            {
                if (row is ["false", var source, var name] && _found.TryGetValue(name, out var facts))
                    _found[name] = facts with { NoAutoSnapshot = source };
            },
            cancellationToken
        );
    }

    private Task<ZfsRefusals> RunAsync(
        IReadOnlyList<string> arguments,
        Action<string[]> read,
        CancellationToken cancellationToken
    ) => zfs.RunForAllAsync(arguments, roots.Select(root => root.Value), read, cancellationToken);

    private static IEnumerable<string> AtAndAbove(string name)
    {
        for (var end = name.Length; end > 0; end = name.LastIndexOf('/', end - 1))
            yield return name[..end];
    }

    [GeneratedRegex("invalid property '(?<name>[^']+)'", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex InvalidProperty();
}
