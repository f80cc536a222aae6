using System.Diagnostics;
using System.Security.Cryptography;
using ZfsSnapshotManager.Fuzzing;
using ZfsSnapshotManager.UnitTests.Architecture;

namespace ZfsSnapshotManager.UnitTests.Fuzzing;

/// <summary>
/// Passes inputs to a target, on a separate thread: an input for which it never returns fails the test too.
/// </summary>
internal sealed class FuzzRun(string target)
{
    /// <summary>Inputs take milliseconds; a machine that is busy with other things must not fail a test.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    private readonly FuzzTarget _target = FuzzTargets.All[target];
    private byte[] _input = [];
    private string _name = "";
    private long _started;

    /// <summary>The directory with the corpus and the findings of all targets.</summary>
    public static string Folder { get; } = Path.Combine(Checkout.Root, "tests", "Fuzzing");

    /// <summary>The number of inputs that the library accepted; it refused the others.</summary>
    public int Taken { get; private set; }

    /// <summary>The stored inputs of a target, by path.</summary>
    public static SortedDictionary<string, byte[]> Stored(string target)
    {
        var folders = ((string[])["corpus", "findings"])
            .Select(kind => Path.Combine(Folder, kind, target))
            .Where(Directory.Exists);
        return new(
            folders.SelectMany(Directory.GetFiles).ToDictionary(path => path, File.ReadAllBytes),
            StringComparer.Ordinal
        );
    }

    /// <summary>Passes the inputs, one after the other.</summary>
    public void Run(IEnumerable<(string Name, byte[] Input)> inputs)
    {
        Exception? failure = null;
        var worker = new Thread(() => failure = Work(inputs)) { IsBackground = true };
        Volatile.Write(ref _started, Stopwatch.GetTimestamp());
        worker.Start();
        while (!worker.Join(Look))
        {
            if (Stopwatch.GetElapsedTime(Volatile.Read(ref _started)) > Patience)
                Fail($"the input takes more than {Patience.TotalSeconds} seconds");
        }

        if (failure is not null)
            Fail(failure.ToString());
    }

    private Exception? Work(IEnumerable<(string Name, byte[] Input)> inputs)
    {
        try
        {
            foreach (var (name, input) in inputs)
            {
                (_name, _input) = (name, input);
                Volatile.Write(ref _started, Stopwatch.GetTimestamp());
                Taken += _target(input) ? 1 : 0;
            }

            return null;
        }
        catch (Exception failure)
        {
            return failure; // for the waiting thread, which reports the input
        }
    }

    private void Fail(string what)
    {
        var folder = Path.Combine(Checkout.Root, "artifacts", "test", "fuzz");
        var file = Path.Combine(folder, $"{target}-{Convert.ToHexStringLower(SHA256.HashData(_input))[..12]}");
        _ = Directory.CreateDirectory(folder);
        File.WriteAllBytes(file, _input);
        Assert.Fail($"{_name}: {what}\nrepeat it: dotnet run --project tests/Fuzzing -- run {target} {file}");
    }
}
