using System.Diagnostics;
using SharpFuzz;

namespace ZfsSnapshotManager.Fuzzing;

/// <summary>
/// Commands for <c>tests/Fuzzing/fuzz</c>: <c>list</c>; <c>run TARGET PATH...</c>, one or more files or directories of
/// inputs; <c>show TARGET FILE</c>, what the input stands for; <c>seeds STREAMS CORPUS</c>; <c>afl TARGET</c>, under
/// afl-fuzz.
/// </summary>
internal static class Program
{
    private static int Main(string[] arguments) =>
        arguments switch
        {
            ["list"] => List(),
            ["run", var target, .. var paths] when FuzzTargets.All.ContainsKey(target) => Replay(
                FuzzTargets.All[target],
                paths
            ),
            ["show", var target, var path] => Show.Print(target, File.ReadAllBytes(path)),
            ["seeds", var streams, var corpus] => Seeds.Write(streams, corpus),
            ["afl", var target] when FuzzTargets.All.ContainsKey(target) => UnderAfl(FuzzTargets.All[target]),
            _ => Usage(),
        };

    private static int List()
    {
        foreach (var name in FuzzTargets.All.Keys)
            Console.WriteLine(name);
        return 0;
    }

    private static int Replay(FuzzTarget target, IEnumerable<string> paths)
    {
        var (inputs, taken, broken) = (0, 0, 0);
        var files = paths.SelectMany(path => Directory.Exists(path) ? Directory.GetFiles(path) : [path]);
        foreach (var file in files.Order(StringComparer.Ordinal))
        {
            inputs++;
            var watch = Stopwatch.StartNew();
            try
            {
                taken += target(File.ReadAllBytes(file)) ? 1 : 0;
            }
            catch (Exception finding)
            {
                broken++;
                Console.WriteLine($"{file}: {finding}");
            }

            if (watch.Elapsed > TimeSpan.FromSeconds(1))
                Console.WriteLine($"{file}: {watch.Elapsed.TotalSeconds:F1} s");
        }

        Console.WriteLine($"{inputs} inputs, {taken} taken, {inputs - taken - broken} refused, {broken} findings");
        return broken == 0 ? 0 : 1;
    }

    /// <summary>
    /// In a separate process, so that a stack overflow or a hang is a finding too and does not end the run.
    /// </summary>
    private static int UnderAfl(FuzzTarget target)
    {
        Fuzzer.OutOfProcess.Run(stream =>
        {
            using var input = new MemoryStream();
            stream.CopyTo(input);
            _ = target(input.ToArray());
        });
        return 0;
    }

    private static int Usage()
    {
        Console.Error.WriteLine(
            "usage: list | run TARGET PATH... | show TARGET FILE | seeds STREAMS CORPUS | afl TARGET; targets: "
                + $"{string.Join(' ', FuzzTargets.All.Keys)}"
        );
        return 2;
    }
}
