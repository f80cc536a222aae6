namespace ZfsSnapshotManager.Core.Configuration;

/// <summary>Finds the setting that somebody meant by a name that is none.</summary>
internal static class SettingNames
{
    /// <summary>
    /// The known name that differs least: by upper and lower case, or in one letter, two for longer names. A transposed
    /// pair of letters counts as one.
    /// </summary>
    /// <returns>Null if none is near.</returns>
    public static string? FindNearest(string name, IEnumerable<string> known)
    {
        var upper = name.ToUpperInvariant().Replace('-', '_');
        var nearest = known
            .Select(candidate => (Name: candidate, Distance: Distance(upper, candidate)))
            .OrderBy(pair => pair.Distance)
            .ThenBy(pair => pair.Name, StringComparer.Ordinal)
            .FirstOrDefault();
        var most = upper.Length < 8 ? 1 : 2;
        return nearest.Distance <= most ? nearest.Name : null;
    }

    /// <summary>
    /// Letters to insert, remove, replace or transpose (the optimal string alignment distance of Damerau and
    /// Levenshtein).
    /// </summary>
    private static int Distance(string a, string b)
    {
        var cost = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            cost[i, 0] = i;
        for (var j = 0; j <= b.Length; j++)
            cost[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replaced, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
            }
        }

        return cost[a.Length, b.Length];
    }
}
