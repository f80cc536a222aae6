using System.IO.Compression;
using System.Text;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>A resume token: refused as documented, or read, written and read again as the same.</summary>
internal static class TokenTarget
{
    /// <summary>The input is the token's text.</summary>
    public static bool Run(ReadOnlySpan<byte> input) => Check(Encoding.Latin1.GetString(Limits.Shortened(input)));

    /// <summary>The input is the packed list in a token that is otherwise valid.</summary>
    public static bool RunList(ReadOnlySpan<byte> input) => Check(TokenOf(Limits.Shortened(input)));

    private static bool Check(string text)
    {
        var token = Limits.Bounded(text.Length, () => Parsed(text));
        FuzzFinding.Unless(
            ResumeToken.TryParse(text, out var tried) == (token is not null),
            "Parse and TryParse disagree"
        );
        if (token is null)
            return false;
        var again = Limits.Bounded(text.Length, token.ToString);
        var second = ResumeToken.Parse(again);
        FuzzFinding.Unless(
            second == token && tried == token,
            "a token says something else when it was written and read"
        );
        FuzzFinding.Unless(second.GetHashCode() == token.GetHashCode(), "tokens are equal, but not their hash codes");
        FuzzFinding.Unless(second.ToString() == again, "a token is written differently the second time");
        FuzzFinding.Unless(
            again.Length <= ResumeToken.LongestToken,
            $"a token of {again.Length} characters is written"
        );
        _ = new ReceiveResume(token);
        return true;
    }

    private static ResumeToken? Parsed(string text)
    {
        try
        {
            return ResumeToken.Parse(text);
        }
        catch (FormatException refusal)
        {
            _ = Limits.Short(refusal);
            return null;
        }
    }

    /// <summary>The token of a list, made without the library.</summary>
    private static string TokenOf(ReadOnlySpan<byte> packed)
    {
        using var output = new MemoryStream();
        using (var source = new ZLibStream(output, CompressionLevel.Fastest, leaveOpen: true))
            source.Write(packed);
        var compressed = output.ToArray();
        var sum = 0UL;
        for (var at = 0; at + sizeof(uint) <= compressed.Length; at += sizeof(uint))
            sum += BitConverter.ToUInt32(compressed, at);
        return $"1-{sum:x}-{packed.Length:x}-{Convert.ToHexStringLower(compressed)}";
    }
}
