using System.Security.Cryptography;
using System.Text;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>
/// API keys: 256 random bits, shown once; only their SHA-256 is stored. A slow hash would add nothing: such a key
/// cannot be guessed.
/// </summary>
internal static class ApiKey
{
    public static string Generate() => "zsm_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    public static string Hash(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    public static bool IsHash(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigit);

    /// <summary>Compared instead of a missing hash, so that this takes the same time.</summary>
    private static readonly string NobodysHash = Hash(Generate());

    /// <summary>
    /// Compares a key with a client's current and old key, in the same time whichever of them exist or match.
    /// </summary>
    /// <param name="key">The key in the request.</param>
    /// <param name="client">Null: no key matches.</param>
    /// <param name="now">The current time: old keys expire.</param>
    public static bool Matches(string key, ClientEntry? client, DateTimeOffset now)
    {
        var shown = SHA256.HashData(Encoding.UTF8.GetBytes(key));
        var current = IsHashOf(shown, client?.ApiKey);
        var old = IsHashOf(shown, client?.OldApiKeyUntil > now ? client.OldApiKey : null);
        return current | old;
    }

    /// <summary>Whether a client's key has this hash, which is no secret.</summary>
    public static bool IsAccepted(string hash, ClientEntry client, DateTimeOffset now) =>
        hash.Equals(client.ApiKey, StringComparison.OrdinalIgnoreCase)
        || (client.OldApiKeyUntil > now && hash.Equals(client.OldApiKey, StringComparison.OrdinalIgnoreCase));

    private static bool IsHashOf(byte[] shown, string? hash) =>
        CryptographicOperations.FixedTimeEquals(shown, Convert.FromHexString(hash ?? NobodysHash));
}
