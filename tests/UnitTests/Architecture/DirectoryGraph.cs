using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ZfsSnapshotManager.UnitTests.Architecture;

/// <summary>
/// What uses what in a directory: the directories in it, each with all below it ("Commands/"), and the files beside
/// them, each by itself ("Program.cs"). A file that joins the directories may use them all, and one that they all use
/// may lie beside them, too.
/// </summary>
internal sealed class DirectoryGraph
{
    private readonly ILookup<string, Dependency> _from;
    private readonly Dictionary<string, HashSet<string>> _reached;

    private DirectoryGraph(string root, IEnumerable<string> files, IEnumerable<Dependency> dependencies)
    {
        Root = root;
        Nodes = [.. files.Select(NodeOf).OfType<string>().Distinct().Order(StringComparer.Ordinal)];
        _from = dependencies
            .Where(one => NodeOf(one.From) is { } from && NodeOf(one.On) is { } on && from != on)
            .OrderBy(one => one.From, StringComparer.Ordinal)
            .ThenBy(one => one.Line)
            .ToLookup(one => NodeOf(one.From)!, StringComparer.Ordinal);
        _reached = Nodes.ToDictionary(node => node, ReachedFrom, StringComparer.Ordinal);
    }

    /// <summary>The directory, as "src/Core/Compression".</summary>
    public string Root { get; }

    public IReadOnlyList<string> Nodes { get; }

    public IEnumerable<string> Directories => Nodes.Where(IsDirectory);

    /// <summary>
    /// Sets of nodes that use each other in a circle. Files alone make none: they lie in the same directory.
    /// </summary>
    public IEnumerable<IReadOnlyList<string>> Circles =>
        Nodes
            .Where(node => Uses(node, node))
            .GroupBy(node => string.Join(' ', Nodes.Where(other => Uses(node, other) && Uses(other, node))))
            .Select(circle => (IReadOnlyList<string>)[.. circle])
            .Where(circle => circle.Any(IsDirectory));

    /// <summary>The graph of the project's directory, and of each below it that has directories.</summary>
    public static IEnumerable<DirectoryGraph> Of(ProjectSource project)
    {
        Dependency[] dependencies = [.. project.Trees.AsParallel().SelectMany(tree => Find(project, tree))];
        string[] files = [.. project.Trees.Select(tree => tree.FilePath)];
        return files
            .SelectMany(file => DirectoriesAbove(file, project.Root))
            .Distinct()
            .Order(StringComparer.Ordinal)
            .Select(root => new DirectoryGraph(root, files, dependencies))
            .Where(graph => graph.Directories.Any());
    }

    /// <summary>Whether a node uses another, itself or through others.</summary>
    public bool Uses(string node, string other) => _reached[node].Contains(other);

    /// <summary>The first dependency for each step between the nodes of a set.</summary>
    public IEnumerable<Dependency> Within(IReadOnlyList<string> nodes) =>
        nodes.SelectMany(node =>
            _from[node].Where(one => nodes.Contains(NodeOf(one.On))).DistinctBy(one => NodeOf(one.On))
        );

    private static bool IsDirectory(string node) => node.EndsWith('/');

    private static IEnumerable<string> DirectoriesAbove(string file, string root)
    {
        for (var length = file.LastIndexOf('/'); length >= root.Length; length = file.LastIndexOf('/', length - 1))
            yield return file[..length];
    }

    private static IEnumerable<Dependency> Find(ProjectSource project, SyntaxTree tree)
    {
        var model = project.Compilation.GetSemanticModel(tree);
        foreach (var name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
        {
            var info = model.GetSymbolInfo(name);
            var symbol = info.Symbol ?? info.CandidateSymbols.FirstOrDefault();
            if (symbol is null or INamespaceSymbol)
                continue;
            var line = name.GetLocation().GetLineSpan().StartLinePosition.Line + 1;
            foreach (var file in FilesOf(symbol).Where(file => file.Length > 0 && file != tree.FilePath))
                yield return new Dependency(tree.FilePath, line, symbol.Name, file);
        }
    }

    /// <summary>The files that declare a symbol; none for what another project or a package declares.</summary>
    private static IEnumerable<string> FilesOf(ISymbol symbol)
    {
        var declared = symbol is IMethodSymbol { ReducedFrom: { } extension } ? extension : symbol;
        return declared
            .OriginalDefinition.DeclaringSyntaxReferences.Select(reference => reference.SyntaxTree.FilePath)
            .Distinct();
    }

    private string? NodeOf(string file)
    {
        if (!file.StartsWith($"{Root}/", StringComparison.Ordinal))
            return null;
        var path = file[(Root.Length + 1)..];
        var end = path.IndexOf('/', StringComparison.Ordinal);
        return end < 0 ? path : path[..(end + 1)];
    }

    private HashSet<string> ReachedFrom(string node)
    {
        HashSet<string> reached = [];
        Queue<string> left = new([node]);
        while (left.TryDequeue(out var next))
        {
            foreach (var on in _from[next].Select(one => NodeOf(one.On)!).Where(reached.Add))
                left.Enqueue(on);
        }

        return reached;
    }
}
