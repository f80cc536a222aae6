using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>Complete streams through the verifier.</summary>
internal static class Verifying
{
    public static StreamInfo Verify(byte[] stream)
    {
        var verifier = new SendStreamVerifier();
        verifier.Append(stream);
        return verifier.Complete();
    }

    /// <summary>Feeds slices of random lengths up to this many bytes.</summary>
    public static StreamInfo VerifySliced(byte[] stream, int most, Random random)
    {
        var verifier = new SendStreamVerifier();
        for (var at = 0; at < stream.Length; )
        {
            var length = Math.Min(stream.Length - at, random.Next(most + 1));
            verifier.Append(stream.AsSpan(at, length));
            at += length;
        }

        return verifier.Complete();
    }

    public static SendStreamException Refused(byte[] stream) =>
        Assert.Throws<SendStreamException>(() => Verify(stream));

    public static void AssertRefused(SendStreamError fault, byte[] stream) =>
        Assert.Equal(fault, Refused(stream).Error);

    /// <summary>Facts as text, so that two can be compared and their difference read.</summary>
    public static string Text(StreamInfo facts) =>
        string.Join(
            '\n',
            (string[])
                [
                    $"{facts.Kind} {facts.Length} {facts.RecordCount} {facts.PayloadBytes} {facts.LogicalBytes} "
                        + $"{facts.EndChecksum}",
                    facts.Begin.ToString(),
                    .. facts.Snapshots.Select(snapshot => snapshot.ToString()),
                    .. facts.Records.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key} {pair.Value}"),
                ]
        );
}
