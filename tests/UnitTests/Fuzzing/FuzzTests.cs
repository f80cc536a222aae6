using CsCheck;
using ZfsSnapshotManager.Fuzzing;
using ZfsSnapshotManager.UnitTests.SendStream;

namespace ZfsSnapshotManager.UnitTests.Fuzzing;

/// <summary>
/// The fuzz targets without a fuzzer: all stored inputs, then some mutations of them. What the targets require is in
/// tests/Fuzzing/Targets.
/// </summary>
public sealed class FuzzTests
{
    private const int Few = 1000;
    private const int FewOfShort = 5000;
    private const int SoakFactor = 150;
    private const int CorpusLimit = 300 * 1024;

    public static TheoryData<string> Targets => [.. FuzzTargets.All.Keys];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Stored_inputs_break_no_promise(string target)
    {
        var run = new FuzzRun(target);
        run.Run(FuzzRun.Stored(target).Select(input => (input.Key, input.Value)));
        Assert.True(run.Taken > 0, "no stored input is taken: the target demands nothing");
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Mutations_of_stored_inputs_break_no_promise(string target)
    {
        byte[][] inputs = [.. FuzzRun.Stored(target).Values];
        var few = IsShort(target) ? FewOfShort : Few;
        var given = 0;
        var run = new FuzzRun(target);
        run.Run(RandomTest.Draws(few, few * SoakFactor).Select(Mutated));
        Assert.True(run.Taken < given, "every mutation is accepted");

        (string, byte[]) Mutated(Draw draw)
        {
            given++;
            return (draw.ToString(), Havoc.Mutate(inputs, draw.Random));
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Any_bytes_break_no_promise(string target) =>
        Gen
            .Byte.Array[0, 300]
            .CheckDraws(input =>
            {
                _ = FuzzTargets.All[target](input);
            });

    [Fact]
    public void Every_directory_belongs_to_a_target()
    {
        Assert.Equal(
            FuzzTargets.All.Keys,
            Directory
                .GetDirectories(Path.Combine(FuzzRun.Folder, "corpus"))
                .Select(Path.GetFileName)
                .Order(StringComparer.Ordinal)
        );
        Assert.Subset(
            FuzzTargets.All.Keys.ToHashSet(),
            Directory
                .GetDirectories(Path.Combine(FuzzRun.Folder, "findings"))
                .Select(folder => Path.GetFileName(folder)!)
                .ToHashSet()
        );
    }

    [Fact]
    public void The_corpus_is_small() =>
        Assert.InRange(
            FuzzTargets.All.Keys.Sum(target => FuzzRun.Stored(target).Values.Sum(input => input.Length)),
            1,
            CorpusLimit
        );

    /// <summary>Whether the target needs only microseconds for an input.</summary>
    private static bool IsShort(string target) => target is "nvlist" or "token" or "token-list";
}
