using CsCheck;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.UnitTests.SendStream;

public sealed class Fletcher4Tests
{
    [Fact]
    public void The_sums_are_those_of_the_plain_definition() =>
        Gen
            .Byte.Array[0, 400]
            .CheckDraws(bytes =>
            {
                var whole = bytes.AsSpan(0, bytes.Length & ~3);
                var plain = new PlainFletcher();
                plain.Add(whole);
                var stored = new byte[Fletcher4.Size];
                default(Fletcher4).Append(whole).WriteTo(stored);
                Assert.Equal(plain.Bytes, stored);
            });

    [Fact]
    public void A_known_example_has_known_sums()
    {
        // Words 1, 2, 3: sums 1 3 6, of which 1 4 10, of which 1 5 15, of which 1 6 21.
        var sum = default(Fletcher4).Append((byte[])[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        Assert.Equal(new Fletcher4(6, 10, 15, 21), sum);
        Assert.Equal("6:a:f:15", sum.ToString());
    }

    [Fact]
    public void Appending_in_two_steps_is_appending_at_once()
    {
        var bytes = StreamBuilder.Noise(4096, 1);
        for (var cut = 0; cut <= bytes.Length; cut += 4)
            Assert.Equal(
                default(Fletcher4).Append(bytes),
                default(Fletcher4).Append(bytes.AsSpan(0, cut)).Append(bytes.AsSpan(cut))
            );
    }

    [Fact]
    public void A_stored_sum_is_read_back()
    {
        var sum = new Fletcher4(1, ulong.MaxValue, 3, 0x0102030405060708);
        var stored = new byte[40];
        sum.WriteTo(stored);
        Assert.Equal(sum, Fletcher4.ReadFrom(stored));
        Assert.False(sum.IsZero);
        Assert.True(default(Fletcher4).IsZero);
    }

    [Fact]
    public void Half_words_and_short_buffers_are_refused()
    {
        Assert.Throws<ArgumentException>(() => default(Fletcher4).Append(new byte[3]));
        Assert.Throws<ArgumentException>(() => Fletcher4.ReadFrom(new byte[31]));
        Assert.Throws<ArgumentException>(() => default(Fletcher4).WriteTo(new byte[31]));
    }
}
