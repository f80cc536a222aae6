using System.Text.Json;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>Tokens of a real ZFS (tests/streams/tokens.json).</summary>
internal static class RecordedTokens
{
    private static readonly JsonElement Root = Load();

    /// <summary>
    /// By the file of a recorded stream: after how many of its bytes a receive was cut, and the token that ZFS then
    /// had.
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
