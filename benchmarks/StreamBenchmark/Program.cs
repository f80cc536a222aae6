using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.StreamBenchmark;

// Prints what the checksum and the verifier do in memory beside a loop that only reads the memory; with a path, also
// writes it as JSON. With "make", writes a right stream of random data to standard output, for other benchmarks; with
// "rename", copies a stream under another name. usage: StreamBenchmark ROUNDS [FILE.json] | StreamBenchmark make
// MEBIBYTES | StreamBenchmark rename NAME
if (args is ["make", var mebibytes])
{
    using var output = Console.OpenStandardOutput();
    SyntheticStream.WriteTo(output, 128 << 10, long.Parse(mebibytes, CultureInfo.InvariantCulture) << 20);
    return 0;
}

if (args is ["rename", var name])
{
    await StreamRename.CopyAsync(Console.OpenStandardInput(), Console.OpenStandardOutput(), name);
    return 0;
}

if (
    args is not [var first, ..]
    || !int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var rounds)
    || rounds < 1
)
{
    Console.Error.WriteLine(
        "usage: StreamBenchmark ROUNDS [FILE.json] | StreamBenchmark make MEBIBYTES | StreamBenchmark rename NAME"
    );
    return 2;
}

var vectorBits =
    Vector512.IsHardwareAccelerated ? 512
    : Vector256.IsHardwareAccelerated ? 256
    : 128;
const int Large = 256 << 20; // more than any cache holds
var large = Noise(Large);
List<Comparison> tables =
[
    new Comparison($"checksum of {Large >> 20} MiB (vectors of {vectorBits} bits)", rounds, [.. ChecksumCases(large)]),
    .. new[] { 280, 4 << 10, 128 << 10 }.Select(size => new Comparison(
        $"checksum of {size} bytes in cache",
        rounds,
        [.. ChecksumCases(Noise(size))]
    )),
    new Comparison(
        "verifier, from memory",
        rounds,
        [Reading(large), .. new[] { 128 << 10, 4 << 10, 512, 0 }.Select(VerifierCase)]
    ),
];
tables.ForEach(table => table.Print(Console.Out));
if (args is [_, var path])
    await File.WriteAllTextAsync(path, Comparison.ToJson(tables));
return 0;

static byte[] Noise(int size)
{
    var bytes = new byte[size];
    new Random(1).NextBytes(bytes);
    return bytes;
}

static Case Reading(byte[] bytes) => new("reading the memory", bytes.Length, () => PlainRead.Sum(Words(bytes)));

static ReadOnlySpan<uint> Words(byte[] bytes) => MemoryMarshal.Cast<byte, uint>(bytes);

static IEnumerable<Case> ChecksumCases(byte[] bytes)
{
    yield return Reading(bytes);
    yield return new Case("Fletcher4.Append", bytes.Length, () => default(Fletcher4).Append(bytes).D);
    yield return new Case("by words", bytes.Length, () => Fletcher4Kernels.Scalar(default, Words(bytes)).D);
    if (Vector128.IsHardwareAccelerated)
        yield return new Case("by 128 bits", bytes.Length, () => Fletcher4Kernels.By128Bits(default, Words(bytes)).D);
    if (Vector256.IsHardwareAccelerated)
        yield return new Case("by 256 bits", bytes.Length, () => Fletcher4Kernels.By256Bits(default, Words(bytes)).D);
    if (Vector512.IsHardwareAccelerated)
        yield return new Case("by 512 bits", bytes.Length, () => Fletcher4Kernels.By512Bits(default, Words(bytes)).D);
}

static Case VerifierCase(int payload)
{
    var stream = SyntheticStream.Make(payload, payload == 0 ? 32 << 20 : Large / 2);
    return new Case(payload == 0 ? "records without payload" : $"records of {payload} bytes", stream.Length, () =>
    {
        var verifier = new SendStreamVerifier();
        verifier.Append(stream);
        return (ulong)verifier.Complete().RecordCount;
    });
}
