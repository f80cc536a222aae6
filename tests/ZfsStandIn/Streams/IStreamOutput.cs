using System.Buffers;
using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.ZfsStandIn.Streams;

/// <summary>Where a stream goes, or only its length.</summary>
internal interface IStreamOutput : IBufferWriter<byte>
{
    void FlushIfFull();

    void Flush();
}

/// <summary>Counts.</summary>
internal sealed class CountingOutput : IStreamOutput
{
    private readonly byte[] _scratch = new byte[256 * 1024];

    public long Count { get; private set; }

    public void Advance(int count) => Count += count;

    public Memory<byte> GetMemory(int sizeHint = 0) => _scratch;

    public Span<byte> GetSpan(int sizeHint = 0) => _scratch;

    public void FlushIfFull()
    {
        // Nothing is kept.
    }

    public void Flush()
    {
        // Nothing is kept.
    }
}

/// <summary>
/// Standard output. While the file <c>send-limit</c> in the state's directory says so, it stops there: a test that
/// interrupts a send needs no luck to find it at work.
/// </summary>
internal sealed partial class StandardOutput : IStreamOutput, IDisposable
{
    private const int Full = 256 * 1024;
    private const int PauseMilliseconds = 20;
    private const int ErrorEvent = 8;
    private const int HangUpEvent = 16;

    private readonly byte[] _buffer = new byte[2 * Full];
    private readonly FileStream _output = new(
        new Microsoft.Win32.SafeHandles.SafeFileHandle(1, ownsHandle: false),
        FileAccess.Write,
        bufferSize: 0
    );

    private readonly string _limitFile = Path.Combine(State.StateStore.Directory, "send-limit");
    private readonly long? _crashAt = ReadNumber(Path.Combine(State.StateStore.Directory, "send-crash"));
    private int _filled;
    private long _written;

    public void Advance(int count) => _filled += count;

    public Memory<byte> GetMemory(int sizeHint = 0) => _buffer.AsMemory(_filled);

    public Span<byte> GetSpan(int sizeHint = 0) => _buffer.AsSpan(_filled);

    public void FlushIfFull()
    {
        if (_filled >= Full)
            Flush();
    }

    public void Flush()
    {
        ReadOnlySpan<byte> rest = _buffer.AsSpan(0, _filled);
        while (!rest.IsEmpty)
        {
            if (_written >= _crashAt)
                Signals.Crash();
            var now = (int)Math.Min(rest.Length, Math.Min(Allowed(), (_crashAt ?? long.MaxValue) - _written));
            _output.Write(rest[..now]);
            _written += now;
            rest = rest[now..];
        }

        _filled = 0;
    }

    public void Dispose() => _output.Dispose();

    /// <summary>Waits until more may be written, and no longer than somebody reads.</summary>
    private long Allowed()
    {
        while (ReadNumber(_limitFile) is { } limit)
        {
            if (limit > _written)
                return limit - _written;
            var poll = new PollDescriptor { Descriptor = 1 };
            _ = Poll(ref poll, 1, PauseMilliseconds);
            if ((poll.Events & (ErrorEvent | HangUpEvent)) != 0)
                throw new IOException("Nobody reads any more.");
        }

        return long.MaxValue;
    }

    /// <summary>poll(2) on a pipe without readers returns POLLERR at once.</summary>
    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int milliseconds);

    private static long? ReadNumber(string file)
    {
        try
        {
            return long.Parse(File.ReadAllText(file));
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Requested;
        public short Events;
    }
}
