using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using ZfsSnapshotManager.UnitTests.Architecture;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>Every example in the library's README is a program that compiles against the library.</summary>
public sealed class ReadmeTests
{
    private const string ImplicitUsings =
        "global using System; global using System.Collections.Generic; global using System.IO; global using "
        + "System.Linq; global using System.Threading; global using System.Threading.Tasks;";

    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    public static TheoryData<string> Examples =>
        [
            .. Checkout
                .Read("src/SendStream/README.md")
                .Split("```csharp\n")
                .Skip(1)
                .Select(rest => rest[..rest.IndexOf("```", StringComparison.Ordinal)]),
        ];

    [Fact]
    public void The_readme_has_examples() => Assert.InRange(Examples.Count, 6, 100);

    [Theory]
    [MemberData(nameof(Examples))]
    public void An_example_of_the_readme_compiles(string example) => Assert.Empty(Errors(example));

    [Fact]
    public void An_example_with_a_mistake_does_not_compile() =>
        Assert.Contains("CS0103", Assert.Single(Errors("Console.WriteLine(nothing);")));

    private static IEnumerable<string> Errors(string example)
    {
        var options = new CSharpParseOptions(LanguageVersion.Latest);
        var compilation = CSharpCompilation.Create(
            "Example",
            [CSharpSyntaxTree.ParseText(example, options), CSharpSyntaxTree.ParseText(ImplicitUsings, options)],
            References,
            new CSharpCompilationOptions(
                OutputKind.ConsoleApplication,
                nullableContextOptions: NullableContextOptions.Enable
            )
        );
        return compilation
            .GetDiagnostics()
            .Where(found => found.Severity >= DiagnosticSeverity.Warning)
            .Select(found => found.ToString());
    }
}
