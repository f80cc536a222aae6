using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace ZfsSnapshotManager.UnitTests.Architecture;

/// <summary>Projects and their directories use each other in one direction: docs/architecture.md draws it.</summary>
public sealed partial class LayerTests
{
    private const string Document = "docs/architecture.md";

    /// <summary>
    /// Circles that are not untied yet, by their directories. New ones are not allowed; one that becomes smaller or is
    /// untied is changed here too.
    /// </summary>
    private static readonly Dictionary<string, string[]> KnownCircles = new(StringComparer.Ordinal)
    {
        ["src/Server"] = ["Quota ↔ Rotation"],
    };

    private static readonly Lazy<IReadOnlyList<DirectoryGraph>> Graphs = new(() =>
        [.. ProjectSource.All.AsParallel().AsOrdered().SelectMany(DirectoryGraph.Of)]
    );

    [Theory]
    [InlineData("SendStream", "")]
    [InlineData("Core", "SendStream")]
    [InlineData("Server", "Core")]
    [InlineData("Client", "Core")]
    [InlineData("Restore", "Core")]
    public void A_project_uses_only_the_projects_below_it(string project, string below) =>
        Assert.Equal(
            below,
            string.Join(
                ' ',
                XDocument
                    .Parse(Checkout.Read($"src/{project}/{project}.csproj"))
                    .Descendants("ProjectReference")
                    .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value))
            )
        );

    [Fact]
    public void Every_project_has_its_layer() =>
        Assert.Equal(
            ["src/Client", "src/Core", "src/Restore", "src/SendStream", "src/Server"],
            ProjectSource.All.Select(project => project.Root)
        );

    [Fact]
    public void No_directories_use_each_other_in_a_circle()
    {
        List<string> faults = [];
        foreach (var graph in Graphs.Value)
        {
            var known = KnownCircles.GetValueOrDefault(graph.Root, []);
            var found = graph.Circles.ToDictionary(
                circle =>
                    string.Join(" ↔ ", circle.Where(node => node.EndsWith('/')).Select(node => node.TrimEnd('/'))),
                StringComparer.Ordinal
            );
            foreach (var (circle, nodes) in found.Where(circle => !known.Contains(circle.Key)))
                faults.Add($"{graph.Root}: {circle}\n  {string.Join("\n  ", graph.Within(nodes))}");
            foreach (var gone in known.Where(circle => !found.ContainsKey(circle)))
                faults.Add($"{graph.Root}: {gone} is no circle any more: take it off KnownCircles in LayerTests.cs.");
        }

        Assert.True(
            faults.Count == 0,
            "Untie these circles: move what both sides need below both, or pass it in. One use of each step:\n"
                + string.Join('\n', faults)
        );
    }

    [Fact]
    public void Directories_use_only_what_is_drawn_below_them()
    {
        var drawings = Drawings();
        var faults = Graphs
            .Value.Where(graph => graph.Root.Count(c => c == '/') == 1)
            .SelectMany(graph => Faults(graph, drawings.GetValueOrDefault(graph.Root, [])));
        Assert.True(
            !faults.Any(),
            $"Change the source, or the drawing of the directories in {Document}. A line may use what stands below it; "
                + $"what stands in one line uses each other only if ↔ joins it.\n{string.Join('\n', faults)}\n"
                + $"As the source is now:\n{string.Join('\n', Graphs.Value.Select(Draw))}"
        );
    }

    [Fact]
    public void A_use_of_a_directory_is_seen_without_a_using_directive()
    {
        var graph = Graph(
            ("src/P/A/One.cs", "namespace P.A; class One { void M() { var two = new B.Two(); } }"),
            ("src/P/B/Two.cs", "namespace P.B; class Two;")
        );

        Assert.True(graph.Uses("A/", "B/"));
        Assert.False(graph.Uses("B/", "A/"));
        Assert.Empty(graph.Circles);
    }

    [Fact]
    public void A_circle_is_found_with_the_place_of_each_step()
    {
        var graph = Graph(
            ("src/P/A/One.cs", "namespace P.A;\nclass One : B.Two;"),
            ("src/P/B/Two.cs", "namespace P.B;\nclass Two { string? M(string text) => text.Told(); }"),
            (
                "src/P/Join.cs",
                "namespace P;\nstatic class Join { public static string? Told(this string s) => A.No.Name; }"
            ),
            ("src/P/A/No.cs", "namespace P.A;\nstatic class No { public const string? Name = null; }")
        );

        var circle = Assert.Single(graph.Circles);
        Assert.Equal(["A/", "B/", "Join.cs"], circle);
        Assert.Equal(
            [
                "src/P/A/One.cs:2 uses Two of src/P/B/Two.cs",
                "src/P/B/Two.cs:2 uses Told of src/P/Join.cs",
                "src/P/Join.cs:2 uses No of src/P/A/No.cs",
            ],
            graph.Within(circle).Select(step => step.ToString())
        );
    }

    [Fact]
    public void Files_of_one_directory_may_use_each_other()
    {
        var graph = Graph(
            ("src/P/One.cs", "namespace P; class One { Two? two; }"),
            ("src/P/Two.cs", "namespace P; class Two { One? one; }"),
            ("src/P/A/Three.cs", "namespace P.A; class Three : One;")
        );

        Assert.Empty(graph.Circles);
    }

    private static DirectoryGraph Graph(params (string Path, string Text)[] files) =>
        Assert.Single(
            DirectoryGraph.Of(
                new ProjectSource("src/P", "", [.. files.Select(file => ProjectSource.Parse(file.Text, file.Path))])
            )
        );

    private static IEnumerable<string> Faults(DirectoryGraph graph, IReadOnlyList<string[][]> drawing)
    {
        var lineOf = drawing
            .SelectMany((line, number) => line.SelectMany(circle => circle.Select(name => (name, number, circle))))
            .ToLookup(place => place.name, StringComparer.Ordinal);
        foreach (var directory in graph.Directories.Where(directory => lineOf[directory].Count() != 1))
            yield return $"{graph.Root}/{directory} is drawn {lineOf[directory].Count()} times";
        foreach (var drawn in lineOf.Where(drawn => !graph.Directories.Contains(drawn.Key)))
            yield return $"{graph.Root}/{drawn.Key} is drawn and does not exist";
        foreach (var (above, below) in Uses(graph))
        {
            foreach (var from in lineOf[above])
            {
                foreach (var on in lineOf[below].Where(on => on.number <= from.number && on.circle != from.circle))
                    yield return $"{graph.Root}/{above} uses {below}, which is not drawn below it";
            }
        }
    }

    private static IEnumerable<(string, string)> Uses(DirectoryGraph graph) =>
        graph.Directories.SelectMany(
            one => graph.Directories.Where(other => other != one && graph.Uses(one, other)),
            (one, other) => (one, other)
        );

    /// <summary>The graph as it would be drawn: what uses nothing that is left stands at the bottom.</summary>
    private static string Draw(DirectoryGraph graph)
    {
        var left = graph.Directories.ToList();
        Stack<string> lines = new();
        while (left.Count > 0)
        {
            var bottom = left.Where(one => left.All(other => !graph.Uses(one, other) || graph.Uses(other, one)))
                .GroupBy(one =>
                    string.Join(
                        " ↔ ",
                        left.Where(other => other == one || (graph.Uses(one, other) && graph.Uses(other, one)))
                            .Select(other => other.TrimEnd('/'))
                    )
                )
                .ToList();
            lines.Push($"    {string.Join(", ", bottom.Select(circle => circle.Key))}");
            left.RemoveAll(one => bottom.Any(circle => circle.Contains(one)));
        }

        return $"{graph.Root}\n{string.Join('\n', lines)}";
    }

    /// <summary>
    /// The drawings of the document: for each project its lines, from top to bottom, and in each line the directories,
    /// those of a circle together.
    /// </summary>
    private static Dictionary<string, List<string[][]>> Drawings()
    {
        Dictionary<string, List<string[][]>> drawings = new(StringComparer.Ordinal);
        List<string[][]> current = [];
        foreach (var line in DrawingPattern().Match(Checkout.Read(Document)).Groups["lines"].Value.Split('\n'))
        {
            if (line.StartsWith("src/", StringComparison.Ordinal))
                drawings[line.Trim()] = current = [];
            else if (line.Trim().Length > 0)
                current.Add([
                    .. line.Split(',').Select(part => part.Split('↔').Select(name => $"{name.Trim()}/").ToArray()),
                ]);
        }

        return drawings;
    }

    [GeneratedRegex("```layers\n(?<lines>.*?)```", RegexOptions.ExplicitCapture | RegexOptions.Singleline, 10_000)]
    private static partial Regex DrawingPattern();
}
