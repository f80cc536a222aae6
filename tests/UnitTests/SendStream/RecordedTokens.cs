using System.Text.Json;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>Tokens of a real ZFS (tests/streams/tokens.json).</summary>
internal static class RecordedTokens
{
    private static readonly JsonElement Root = Load();

    /// <summary>
    /// For each recorded stream: after how many bytes a receive was interrupted, and the token that ZFS had then.
    /// </summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<(long Bytes, string Token)>> Cuts { get; } =
        Root.GetProperty("cuts")
            .EnumerateArray()
            .ToDictionary(
                cut => cut.GetProperty("file").GetString()!,
                IReadOnlyList<(long, string)> (cut) =>
                    [
                        .. cut.GetProperty("tokens")
                            .EnumerateArray()
                            .Select(token =>
                                (token.GetProperty("bytes").GetInt64(), token.GetProperty("token").GetString()!)
                            ),
                    ]
            );

    private static JsonElement Load()
    {
        using var document = JsonDocument.Parse(
            File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "streams", "tokens.json"))
        );
        return document.RootElement.Clone();
    }
}
