using System.Security.Cryptography;
using System.Text;

namespace ZfsSnapshotManager.Server.Clients;

/// <summary>API keys: 256 random bits, given out once; only their SHA-256 is kept. (A slow hash would add nothing: such a key cannot be guessed.)</summary>
internal static class ApiKey
{
    public static string Generate() => "zsm_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    public static string Hash(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    public static bool IsHash(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigit);

    /// <summary>Compares in constant time.</summary>
    /// <param name="key">What the client showed.</param>
    /// <param name="hash">A hash of 64 hex digits.</param>
    public static bool Matches(string key, string hash) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(key)), Convert.FromHexString(hash));
}
