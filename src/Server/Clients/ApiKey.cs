using System.Security.Cryptography;
using System.Text;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// API keys: 256 random bits, given out once; only their SHA-256 is kept. (A slow hash would add nothing: such a key
/// cannot be guessed.)
/// </summary>
internal static class ApiKey
{
    public static string Generate() => "zsm_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    public static string Hash(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    public static bool IsHash(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigit);

    /// <summary>Stands in for a hash that is not there, so that it takes as long as one that is.</summary>
    private static readonly string NobodysHash = Hash(Generate());

    /// <summary>
    /// Compares with a client's key and its old one, in the same time whatever of them there is and matches.
    /// </summary>
    /// <param name="key">What was shown.</param>
    /// <param name="client">Null: nobody's key matches.</param>
    /// <param name="now">From when on an old key is not taken any more.</param>
    public static bool Matches(string key, ClientEntry? client, DateTimeOffset now)
    {
        var shown = SHA256.HashData(Encoding.UTF8.GetBytes(key));
        var current = IsHashOf(shown, client?.ApiKey);
        var old = IsHashOf(shown, client?.OldApiKeyUntil > now ? client.OldApiKey : null);
        return current | old;
    }

    private static bool IsHashOf(byte[] shown, string? hash) =>
        CryptographicOperations.FixedTimeEquals(shown, Convert.FromHexString(hash ?? NobodysHash));
}
