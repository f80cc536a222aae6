namespace ZfsSnapshotManager.SystemTests.Trust;

/// <summary>
/// Which lies reached the program. A lie about a field or request that no longer exists is never told, and would pass
/// without testing anything.
/// </summary>
/// <param name="always">Those that must be told.</param>
internal sealed class ToldLies(IReadOnlyCollection<ServerLie> always)
{
    private readonly List<ServerLie> _told = [];
    private readonly List<ServerLie> _untold = [];

    public void Add(ServerLie lie, bool isTold) => (isTold ? _told : _untold).Add(lie);

    /// <summary>An earlier lie may end the run before the request of a random one; most are told.</summary>
    public void AssertEnough()
    {
        var names = string.Join('\n', _untold);
        TestContext.Current.TestOutputHelper!.WriteLine($"{_told.Count} lies were told; not told:\n{names}");
        Assert.Empty(_untold.Intersect(always));
        Assert.True(_untold.Count <= _told.Except(always).Count(), $"Too few lies were told. Not told:\n{names}");
    }
}
