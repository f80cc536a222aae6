using System.Buffers.Binary;
using System.Security.Cryptography;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.UnitTests.Restore;

/// <summary>Bytes in parts, returned with faults.</summary>
internal sealed class FaultySource
{
    private readonly Lock _lock = new();
    private readonly List<(long Offset, long Length)> _requests = [];
    private int _open;

    public FaultySource(int seed, params int[] sizes)
    {
        Bytes = new byte[sizes.Sum()];
        new Random(seed).NextBytes(Bytes);
        var offset = 0;
        foreach (var size in sizes)
        {
            Parts.Add(
                new BackupPart(
                    $"c/object{(Parts.Count < 3 ? "" : ".0002")}",
                    Parts.Count < 3 ? offset : offset - sizes.Take(3).Sum(),
                    offset,
                    size,
                    BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Bytes.AsSpan(offset, size))),
                    SHA256.HashData(Bytes.AsSpan(offset, size))
                )
            );
            offset += size;
        }
    }

    public byte[] Bytes { get; }

    public List<BackupPart> Parts { get; } = [];

    /// <summary>Called with each request before it is answered; may throw, or wait.</summary>
    public Func<long, CancellationToken, Task> BeforeAnswer { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>How many bytes a response that begins at an offset contains before it breaks; null: all.</summary>
    public Func<long, int?> BreaksAfter { get; set; } = _ => null;

    /// <summary>Whether an answer that begins at an offset has its first byte changed.</summary>
    public Func<long, bool> Spoils { get; set; } = _ => false;

    /// <summary>The most bytes that one read returns.</summary>
    public int ReadSize { get; set; } = 50_000;

    public int MostOpen { get; private set; }

    public long BytesGiven { get; private set; }

    public IReadOnlyList<(long Offset, long Length)> Requests
    {
        get
        {
            lock (_lock)
                return [.. _requests];
        }
    }

    public async Task<Stream> OpenAsync(long offset, long? length, CancellationToken cancellationToken)
    {
        var count = length ?? Bytes.Length - offset;
        lock (_lock)
        {
            _requests.Add((offset, count));
            MostOpen = Math.Max(MostOpen, ++_open);
        }

        try
        {
            await BeforeAnswer(offset, cancellationToken);
        }
        catch
        {
            lock (_lock)
                _open--;
            throw;
        }

        return new Answer(this, (int)offset, (int)count);
    }

    public static OperationException Broken() => new(ExitCode.Unreachable, "The connection broke by the test.");

    private sealed class Answer(FaultySource source, int offset, int length) : ForwardOnlyStream
    {
        private readonly int? _breaksAfter = source.BreaksAfter(offset);
        private readonly bool _spoils = source.Spoils(offset);
        private int _given;

        public override bool CanRead => true;

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer,
            CancellationToken cancellationToken = default
        )
        {
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
            if (_given >= _breaksAfter)
                throw Broken();
            var count = Math.Min(
                Math.Min(buffer.Length, source.ReadSize),
                Math.Min(length, _breaksAfter ?? length) - _given
            );
            source.Bytes.AsMemory(offset + _given, count).CopyTo(buffer);
            if (_spoils && _given == 0)
                buffer.Span[0] ^= 1;
            _given += count;
            lock (source._lock)
                source.BytesGiven += count;
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            lock (source._lock)
                source._open--;
            base.Dispose(disposing);
        }
    }
}
