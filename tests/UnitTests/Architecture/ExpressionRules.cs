using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ZfsSnapshotManager.UnitTests.Architecture;

/// <summary>
/// Finds expressions that do the work of several statements: a debugger cannot stop inside them, and a reader must
/// take them apart first.
/// </summary>
internal static class ExpressionRules
{
    public static IEnumerable<Violation> Find(SyntaxTree tree) =>
        tree.GetRoot().DescendantNodes().SelectMany(Broken, Violation.At);

    private static IEnumerable<string> Broken(SyntaxNode node)
    {
        switch (node)
        {
            case ConditionalExpressionSyntax conditional:
                if (Inside(conditional).Any(inner => inner is ConditionalExpressionSyntax))
                    yield return "a conditional expression inside another";
                if (Awaits(conditional.WhenTrue) || Awaits(conditional.WhenFalse))
                    yield return "await in a branch of a conditional expression";
                break;
            case ForStatementSyntax loop when IsEmpty(loop.Statement):
            case WhileStatementSyntax endless when IsEmpty(endless.Statement):
                yield return "a loop without a body";
                break;
            case AssignmentExpressionSyntax assignment when IsInReturnOrArgument(assignment):
                yield return "an assignment inside a returned value or an argument";
                break;
        }
    }

    /// <summary>What is evaluated together with a node: bodies of lambdas run later.</summary>
    private static IEnumerable<SyntaxNode> Inside(SyntaxNode node) =>
        node.DescendantNodes(inner => inner is not AnonymousFunctionExpressionSyntax);

    private static bool Awaits(ExpressionSyntax branch) =>
        Inside(branch).Prepend(branch).Any(inner => inner is AwaitExpressionSyntax);

    private static bool IsEmpty(StatementSyntax body) =>
        body is EmptyStatementSyntax or BlockSyntax { Statements.Count: 0 };

    private static bool IsInReturnOrArgument(AssignmentExpressionSyntax assignment)
    {
        if (assignment.Parent is InitializerExpressionSyntax)
            return false; // new X { Y = 1 }, x with { Y = 1 }
        return assignment
            .Ancestors()
            .TakeWhile(outer => outer is not (AnonymousFunctionExpressionSyntax or BlockSyntax))
            .Any(outer => outer is ArgumentSyntax or ReturnStatementSyntax or YieldStatementSyntax);
    }
}
