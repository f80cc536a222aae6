using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace ZfsSnapshotManager.UnitTests.Architecture;

/// <summary>
/// A project below src: its parsed files, and its compilation, which tells what each name stands for. Code that
/// source generators add is missing from it.
/// </summary>
internal sealed class ProjectSource
{
    private static readonly Lazy<IReadOnlyList<ProjectSource>> Projects = new(() =>
        [
            .. Directory
                .GetDirectories(Path.Combine(Checkout.Root, "src"))
                .Select(directory => Load($"src/{Path.GetFileName(directory)}"))
                .OrderBy(project => project.Root, StringComparer.Ordinal),
        ]
    );

    /// <summary>All assemblies that the tests run with: also those that a project references.</summary>
    private static readonly Lazy<IReadOnlyList<PortableExecutableReference>> References = new(() =>
        [
            .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
                .Split(Path.PathSeparator)
                .Select(path => MetadataReference.CreateFromFile(path)),
        ]
    );

    private readonly Lazy<CSharpCompilation> _compilation;

    /// <param name="root">The project's directory, as "src/Core".</param>
    /// <param name="project">The text of its csproj.</param>
    /// <param name="trees">Its files.</param>
    public ProjectSource(string root, string project, IReadOnlyList<SyntaxTree> trees)
    {
        (Root, Trees) = (root, trees);
        var usings = ImplicitUsings(project.Contains("Microsoft.NET.Sdk.Web", StringComparison.Ordinal));
        // The project itself is compiled from its source.
        var name = Path.GetFileName(root);
        string[] own = [$"ZfsSnapshotManager.{name}.dll", $"zfs-{name.ToLowerInvariant()}.dll"];
        _compilation = new(() =>
            CSharpCompilation.Create(
                "Source",
                [.. trees, usings],
                References.Value.Where(reference => !own.Contains(Path.GetFileName(reference.FilePath))),
                CompilationOptions
            )
        );
    }

    public static IReadOnlyList<ProjectSource> All => Projects.Value;

    /// <summary>All files of all projects.</summary>
    public static IEnumerable<SyntaxTree> AllTrees => All.SelectMany(project => project.Trees);

    public string Root { get; }

    public IReadOnlyList<SyntaxTree> Trees { get; }

    public CSharpCompilation Compilation => _compilation.Value;

    private static CSharpCompilationOptions CompilationOptions { get; } =
        new(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true);

    public static SyntaxTree Parse(string text, string path = "Example.cs") =>
        CSharpSyntaxTree.ParseText(text, new CSharpParseOptions(LanguageVersion.Latest, DocumentationMode.None), path);

    private static ProjectSource Load(string root) =>
        new(
            root,
            Checkout.Read($"{root}/{Path.GetFileName(root)}.csproj"),
            [.. Checkout.Files("*.cs", root).AsParallel().AsOrdered().Select(file => Parse(Checkout.Read(file), file))]
        );

    /// <summary>What the SDK adds for ImplicitUsings.</summary>
    private static SyntaxTree ImplicitUsings(bool isWeb)
    {
        string[] names =
        [
            "System",
            "System.Collections.Generic",
            "System.IO",
            "System.Linq",
            "System.Net.Http",
            "System.Threading",
            "System.Threading.Tasks",
        ];
        string[] web =
        [
            "Microsoft.AspNetCore.Builder",
            "Microsoft.AspNetCore.Hosting",
            "Microsoft.AspNetCore.Http",
            "Microsoft.AspNetCore.Routing",
            "Microsoft.Extensions.Configuration",
            "Microsoft.Extensions.DependencyInjection",
            "Microsoft.Extensions.Hosting",
            "Microsoft.Extensions.Logging",
            "System.Net.Http.Json",
        ];
        return Parse(string.Concat((isWeb ? [.. names, .. web] : names).Select(name => $"global using {name};\n")));
    }
}
