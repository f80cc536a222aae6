using System.Buffers.Binary;
using System.Text;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>
/// Packs nvlists for the tests: values are ulong, string, ulong[], byte[], true (a boolean) and lists of pairs.
/// </summary>
internal static class Packing
{
    public static byte[] Native(params (string Name, object Value)[] pairs) =>
        [0, 1, 0, 0, .. Int(0), .. Int(1), .. NativePairs(pairs)];

    public static byte[] Xdr(params (string Name, object Value)[] pairs) => [1, 1, 0, 0, .. XdrList(pairs)];

    /// <summary>A list of one pair named "x" with this value, as XDR has it.</summary>
    public static byte[] Xdr(int type, int count, byte[] value)
    {
        byte[] rest = [.. XdrText("x"), .. Big(type), .. Big(count), .. value];
        return [1, 1, 0, 0, .. Big(0), .. Big(1), .. Big(rest.Length + 8), .. Big(64), .. rest, .. Big(0), .. Big(0)];
    }

    private static byte[] NativePairs((string Name, object Value)[] pairs) =>
        [.. pairs.SelectMany(pair => NativePair(pair.Name, pair.Value)), .. Int(0)];

    private static byte[] NativePair(string name, object value)
    {
        var nameBytes = Padded([.. Encoding.UTF8.GetBytes(name), 0], 8);
        var (type, count, body, behind) = value switch
        {
            ulong number => (8, 1, Long(number), []),
            string text => (9, 1, Padded([.. Encoding.UTF8.GetBytes(text), 0], 8), []),
            ulong[] numbers => (16, numbers.Length, [.. numbers.SelectMany(Long)], []),
            true => (1, 0, [], []),
            (string, object)[] list => (19, 1, new byte[24], NativePairs(list)),
            (string, object)[][] lists => (
                20,
                lists.Length,
                new byte[lists.Length * 32],
                lists.SelectMany(NativePairs).ToArray()
            ),
            _ => throw new ArgumentException("no such value", nameof(value)),
        };
        byte[] head = [.. Short(Encoding.UTF8.GetByteCount(name) + 1), .. Short(0), .. Int(count), .. Int(type)];
        return [.. Int(16 + nameBytes.Length + body.Length), .. head, .. nameBytes, .. body, .. behind];
    }

    private static byte[] XdrList((string Name, object Value)[] pairs) =>
        [.. Big(0), .. Big(1), .. pairs.SelectMany(pair => XdrPair(pair.Name, pair.Value)), .. Big(0), .. Big(0)];

    private static byte[] XdrPair(string name, object value)
    {
        // The unpacked size is that of the native encoding: ZFS unpacks into that much memory.
        var (type, count, unpacked, body) = value switch
        {
            ulong number => (8, 1, 8, BigLong(number)),
            string text => (9, 1, Encoding.UTF8.GetByteCount(text) + 1, XdrText(text)),
            ulong[] numbers => (
                16,
                numbers.Length,
                numbers.Length * 8,
                [.. Big(numbers.Length), .. numbers.SelectMany(BigLong)]
            ),
            true => (1, 0, 0, []),
            byte[] bytes => (
                26,
                bytes.Length,
                bytes.Length,
                [.. Big(bytes.Length), .. bytes.SelectMany(one => Big(one))]
            ),
            (string, object)[] list => (19, 1, 24, XdrList(list)),
            (string, object)[][] lists => (20, lists.Length, lists.Length * 32, lists.SelectMany(XdrList).ToArray()),
            _ => throw new ArgumentException("no such value", nameof(value)),
        };
        byte[] rest = [.. XdrText(name), .. Big(type), .. Big(count), .. body];
        return
        [
            .. Big(rest.Length + 8),
            .. Big(Rounded(17 + Encoding.UTF8.GetByteCount(name)) + Rounded(unpacked)),
            .. rest,
        ];
    }

    private static int Rounded(int length) => (length + 7) & ~7;

    private static byte[] XdrText(string text) =>
        [.. Big(Encoding.UTF8.GetByteCount(text)), .. Padded(Encoding.UTF8.GetBytes(text), 4)];

    private static byte[] Padded(byte[] bytes, int unit) =>
        [.. bytes, .. new byte[(unit - bytes.Length % unit) % unit]];

    private static byte[] Short(int value) => BitConverter.GetBytes((short)value);

    private static byte[] Int(int value) => BitConverter.GetBytes(value);

    private static byte[] Long(ulong value) => BitConverter.GetBytes(value);

    private static byte[] Big(int value) => BitConverter.GetBytes(BinaryPrimitives.ReverseEndianness(value));

    private static byte[] BigLong(ulong value) => BitConverter.GetBytes(BinaryPrimitives.ReverseEndianness(value));
}
