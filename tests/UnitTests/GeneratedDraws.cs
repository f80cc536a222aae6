using CsCheck;

namespace ZfsSnapshotManager.UnitTests;

/// <summary>Random tests with values that CsCheck generates: seeds and counts are those of all random tests.</summary>
internal static class GeneratedDraws
{
    private const int Few = 100;
    private const int Many = 10_000;
    private const int RoundsToShrink = 1000;

    public static void CheckDraws<T>(this Gen<T> values, Action<T> check, int few = Few, int many = Many)
    {
        foreach (var draw in RandomTest.Draws(few, many))
        {
            var source = new PCG((uint)draw.Random.Next(), (ulong)draw.Random.NextInt64());
            var seed = source.ToString();
            try
            {
                check(values.Generate(source, null, out _));
            }
            catch (Exception failure)
            {
                throw new InvalidOperationException(
                    $"{draw}: {Shrink(values, check, seed) ?? failure.Message}",
                    failure
                );
            }
        }
    }

    public static void CheckDraws<T1, T2>(
        this Gen<(T1, T2)> values,
        Action<T1, T2> check,
        int few = Few,
        int many = Many
    ) => values.CheckDraws(value => check(value.Item1, value.Item2), few, many);

    public static void CheckDraws<T1, T2, T3>(
        this Gen<(T1, T2, T3)> values,
        Action<T1, T2, T3> check,
        int few = Few,
        int many = Many
    ) => values.CheckDraws(value => check(value.Item1, value.Item2, value.Item3), few, many);

    public static void CheckDraws<T1, T2, T3, T4>(
        this Gen<(T1, T2, T3, T4)> values,
        Action<T1, T2, T3, T4> check,
        int few = Few,
        int many = Many
    ) => values.CheckDraws(value => check(value.Item1, value.Item2, value.Item3, value.Item4), few, many);

    /// <summary>CsCheck's report with the smallest value that fails; null if it finds none.</summary>
    private static string? Shrink<T>(Gen<T> values, Action<T> check, string seed)
    {
        try
        {
            values.Sample(check, seed: seed, iter: RoundsToShrink, threads: 1);
            return null;
        }
        catch (CsCheckException smallest)
        {
            return smallest.Message;
        }
    }
}
