namespace ZfsSnapshotManager.UnitTests.Architecture;

/// <summary>What every source file keeps to. CONTRIBUTING.md has the reasons.</summary>
public sealed class SourceRuleTests
{
    private const int Columns = 120;

    [Fact]
    public void No_line_is_longer_than_120_columns() =>
        Violation.AssertNone(
            Checkout.Files("*.cs", "src", "tests", "benchmarks").SelectMany(LongLines),
            $"Wrap these lines at {Columns} columns: split strings and comments; CSharpier wraps the rest."
        );

    [Fact]
    public void No_constructor_has_more_than_8_parameters() =>
        Violation.AssertNone(
            ProjectSource.AllTrees.SelectMany(ConstructorRules.Find),
            $"Give these at most {ConstructorRules.MostParameters} parameters: make one class of what belongs "
                + "together, or split the class that needs so much."
        );

    [Fact]
    public void No_expression_does_the_work_of_several_statements() =>
        Violation.AssertNone(
            ProjectSource.AllTrees.SelectMany(ExpressionRules.Find),
            "Write these as statements, one step each: if, while with a body, a switch expression, a named local."
        );

    [Theory]
    [InlineData("class C { C(int a, int b, int c, int d, int e, int f, int g, int h, int i) { } }")]
    [InlineData("class C(int a, int b, int c, int d, int e, int f, int g, int h, int i);")]
    [InlineData("record R(int a, int b, int c, int d, int e, int f, int g, int h, int i);")]
    [InlineData("record struct R(int a, int b, int c, int d, int e, int f, int g, int h, int i);")]
    public void A_constructor_with_9_parameters_is_found(string source) =>
        Assert.Single(ConstructorRules.Find(ProjectSource.Parse(source)));

    [Theory]
    [InlineData("class C(int a, int b, int c, int d, int e, int f, int g, int h);")]
    [InlineData("class C { void M(int a, int b, int c, int d, int e, int f, int g, int h, int i) { } }")]
    public void Eight_parameters_and_methods_with_more_are_allowed(string source) =>
        Assert.Empty(ConstructorRules.Find(ProjectSource.Parse(source)));

    [Theory]
    [InlineData("var x = a ? 1 : b ? 2 : 3;")]
    [InlineData("var x = (a ? b : c) ? 1 : 2;")]
    [InlineData("var x = a ? M(b ? 1 : 2) : 3;")]
    [InlineData("var x = a ? await M() : 3;")]
    [InlineData("var x = a ? 3 : N(await M());")]
    [InlineData("for (var i = 0; i < 3; N(i++)) ;")]
    [InlineData("for (; N(); ) { }")]
    [InlineData("while (N()) ;")]
    [InlineData("return x = 1;")]
    [InlineData("return N(x ??= 1) + 1;")]
    [InlineData("N(x += 1);")]
    [InlineData("yield return x = 1;")]
    public void Work_in_an_expression_is_found(string statement) =>
        Assert.Single(ExpressionRules.Find(ProjectSource.Parse($"class C {{ void M() {{ {statement} }} }}")));

    [Theory]
    [InlineData("var x = a ? 1 : 2;")]
    [InlineData("var x = a ? N(y => y ? 1 : 2) : N(async () => await M());")]
    [InlineData("var x = await (a ? M() : N());")]
    [InlineData("N(new C { X = 1 }, c with { X = 2 });")]
    [InlineData("N(() => x = 1, () => { x = 2; });")]
    [InlineData("x ??= 1;")]
    [InlineData("while ((x = N()) > 0) M(x);")]
    [InlineData("for (x = 1; N(); x += 2) M(x);")]
    [InlineData("do x++; while (x < 3);")]
    public void Plain_expressions_are_allowed(string statement) =>
        Assert.Empty(ExpressionRules.Find(ProjectSource.Parse($"class C {{ void M() {{ {statement} }} }}")));

    [Fact]
    public void A_violation_names_the_file_the_line_and_the_rule()
    {
        var tree = ProjectSource.Parse("class C\n{\n    int M() { return x = 1; }\n}\n", "src/C.cs");
        Assert.Equal(
            "src/C.cs:3: an assignment inside a returned value or an argument",
            Assert.Single(ExpressionRules.Find(tree)).ToString()
        );
    }

    private static IEnumerable<Violation> LongLines(string file) =>
        Checkout
            .Read(file)
            .Split('\n')
            .Select((line, index) => (line.Length, Number: index + 1))
            .Where(line => line.Length > Columns)
            .Select(line => new Violation(file, line.Number, $"{line.Length} columns"));
}
