using System.Text;
using ZfsSnapshotManager.Fuzzing.Inputs;
using ZfsSnapshotManager.Fuzzing.Targets;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Fuzzing;

/// <summary>Prints what an input stands for, so that a finding can be understood.</summary>
internal static class Show
{
    public static int Print(string target, byte[] input)
    {
        Console.WriteLine(Describe(target, input));
        return 0;
    }

    private static string Describe(string target, byte[] input) =>
        target switch
        {
            "stream" => Stream(input),
            "records" => Stream(StreamProgram.Build(input)),
            "splice" or "resume" or "merge" => string.Join(
                "\n",
                Streams(input).Select((stream, i) => $"stream {i + 1}, {Stream(stream)}")
            ),
            "nvlist" or "token-list" => Convert.ToHexStringLower(input),
            _ => Encoding.Latin1.GetString(input),
        };

    private static List<byte[]> Streams(byte[] input)
    {
        var source = new ByteSource(input);
        List<byte[]> streams = [];
        while (!source.IsEmpty && streams.Count < MergeTarget.Most)
            streams.Add(Frames.Next(ref source));
        return streams;
    }

    /// <summary>The valid records of the stream and the verdict.</summary>
    private static string Stream(byte[] stream)
    {
        var text = new StringBuilder($"{stream.Length} bytes:\n");
        try
        {
            using var reader = new SendStreamReader(new MemoryStream(stream));
            while (reader.ReadRecord())
            {
                var (header, type) = (reader.Current.Raw.ToArray(), reader.Current.Type);
                var fields = RecordLayout.FieldsOf(type).Select(field => RecordLayout.Get(header, field));
                _ = text.Append($"  {type} {string.Join(' ', fields)}, {reader.Current.PayloadLength} bytes\n");
            }

            return text.Append("  whole").ToString();
        }
        catch (SendStreamException fault)
        {
            return text.Append($"  {fault.Message}").ToString();
        }
    }
}
