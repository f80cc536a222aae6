using ZfsSnapshotManager.UnitTests.Architecture;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// The library is used by other programs, too: what it offers changes on purpose only. PublicApi.txt is the accepted
/// state.
/// </summary>
public sealed class PublicApiTests
{
    private const string AcceptVariable = "ZSM_ACCEPT_API";
    private const string Snapshot = "tests/UnitTests/SendStream/PublicApi.txt";

    [Fact]
    public void The_public_api_of_the_library_is_the_accepted_one()
    {
        var library = ProjectSource.All.Single(project => project.Root == "src/SendStream");
        var found = PublicApi.Describe(library);
        if (Environment.GetEnvironmentVariable(AcceptVariable) == "1")
            File.WriteAllText(Path.Combine(Checkout.Root, Snapshot), found);
        string[] accepted = Checkout.Read(Snapshot).Split('\n');
        string[] lines = found.Split('\n');
        string[] changes =
        [
            .. accepted.Except(lines).Select(line => $"- {line}"),
            .. lines.Except(accepted).Select(line => $"+ {line}"),
        ];
        Assert.True(
            found == string.Join('\n', accepted),
            $"The public API of SendStream changed:\n{string.Join('\n', changes)}\n"
                + $"If that is intended, run this test with {AcceptVariable}=1, which rewrites {Snapshot}, and add the "
                + "change to CHANGELOG.md."
        );
    }

    [Fact]
    public void Every_asynchronous_method_of_the_library_has_an_optional_token_at_its_end()
    {
        var methods = Checkout
            .Read(Snapshot)
            .Split('\n')
            .Where(line => line.Contains("Async(", StringComparison.Ordinal) && !line.Contains("Dispose"))
            .ToList();
        Assert.InRange(methods.Count, 8, 100);
        Assert.All(methods, line => Assert.EndsWith("CancellationToken cancellationToken = default)", line));
    }
}
