using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ZfsSnapshotManager.StreamBenchmark;

/// <summary>One thing to measure.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Bytes">How many bytes one call goes through.</param>
/// <param name="Run">The call; what it returns is only there so that nothing is left out as useless.</param>
internal sealed record Case(string Name, long Bytes, Func<ulong> Run);

/// <summary>
/// Cases that were measured in turns, so that a slow moment of the machine meets all of them; every ratio is against
/// the first case of the same turn, and the medians count.
/// </summary>
internal sealed class Comparison
{
    /// <summary>What one measurement takes at least.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(10);

    private readonly string _name;
    private readonly IReadOnlyList<Case> _cases;
    private readonly double[][] _rates;

    public Comparison(string name, int rounds, IReadOnlyList<Case> cases)
    {
        (_name, _cases) = (name, cases);
        var calls = cases.Select(Calls).ToArray();
        _rates = [.. cases.Select(_ => new double[rounds])];
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < cases.Count; i++)
                _rates[i][round] = cases[i].Bytes * calls[i] / Measure(cases[i], calls[i]).TotalSeconds / 1e9;
        }
    }

    public void Print(TextWriter output)
    {
        output.WriteLine($"{_name, -50} {"GB/s", 9} {"ratio", 9}");
        for (var i = 0; i < _cases.Count; i++)
            output.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {_cases[i].Name, -48} {Median(_rates[i]), 9:0.00} {Ratio(i), 9:0.00}"
                )
            );
        output.WriteLine();
    }

    public static string ToJson(IEnumerable<Comparison> comparisons)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartArray();
            foreach (var comparison in comparisons)
                comparison.Write(json);
            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", _name);
        json.WriteStartArray("cases");
        for (var i = 0; i < _cases.Count; i++)
        {
            json.WriteStartObject();
            json.WriteString("name", _cases[i].Name);
            json.WriteNumber("gigabytes_per_second", Math.Round(Median(_rates[i]), 2));
            json.WriteNumber("ratio", Math.Round(Ratio(i), 3));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private double Ratio(int index) => Median([.. _rates[index].Zip(_rates[0], (ours, first) => ours / first)]);

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    /// <summary>How many calls take long enough to be measured; finding out also warms up.</summary>
    private static int Calls(Case measured)
    {
        var calls = 1;
        while (Measure(measured, calls) < Shortest)
            calls *= 2;
        return calls;
    }

    private static TimeSpan Measure(Case measured, int calls)
    {
        var result = 0UL;
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < calls; i++)
            result += measured.Run();
        var time = Stopwatch.GetElapsedTime(start);
        GC.KeepAlive(result);
        return time;
    }
}
