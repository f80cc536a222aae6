using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ZfsSnapshotManager.UnitTests.Architecture;

/// <summary>
/// Finds constructors with many parameters: a class that needs so many others does several things. Primary
/// constructors and positional records count too.
/// </summary>
internal static class ConstructorRules
{
    public const int MostParameters = 8;

    public static IEnumerable<Violation> Find(SyntaxTree tree) =>
        tree.GetRoot()
            .DescendantNodes()
            .Select(node => (Node: node, Count: CountOf(node)))
            .Where(one => one.Count > MostParameters)
            .Select(one => Violation.At(one.Node, $"a constructor with {one.Count} parameters"));

    private static int CountOf(SyntaxNode node) =>
        node switch
        {
            ConstructorDeclarationSyntax constructor => constructor.ParameterList.Parameters.Count,
            TypeDeclarationSyntax { ParameterList: { } primary } => primary.Parameters.Count,
            _ => 0,
        };
}
