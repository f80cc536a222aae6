using System.Runtime.InteropServices;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>
/// Standard output or standard error, by write(2). .NET's console stream reports success when the reader of a pipe has
/// gone (ConsolePal.Unix.Write ignores EPIPE). A FileStream writes to regular files with pwrite(2), which leaves the
/// offset that the other commands of the line share where it was.
/// </summary>
public sealed partial class DescriptorStream : ForwardOnlyStream
{
    private const int OutputDescriptor = 1;
    private const int ErrorDescriptor = 2;
    private const int Interrupted = 4; // EINTR
    private const int TryAgain = 11; // EAGAIN
    private const short ReadyToWrite = 4; // POLLOUT

    private readonly int _descriptor;

    private DescriptorStream(int descriptor) => _descriptor = descriptor;

    public override bool CanWrite => true;

    /// <summary>
    /// Standard output. A write that fails throws <see cref="OutputException"/>: a reader that went away is a failure.
    /// </summary>
    public static Stream OpenOutput() => new DescriptorStream(OutputDescriptor);

    /// <summary>
    /// Makes the console use these streams. What standard error does not accept is dropped: a full disk behind a log,
    /// or a terminal that was closed, must not stop a backup.
    /// </summary>
    internal static void UseForConsole()
    {
        Console.SetOut(TextWriter.Synchronized(new StreamWriter(OpenOutput()) { AutoFlush = true }));
        Console.SetError(
            TextWriter.Synchronized(new StreamWriter(new DescriptorStream(ErrorDescriptor)) { AutoFlush = true })
        );
    }

    public override unsafe void Write(ReadOnlySpan<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            for (var done = 0; done < buffer.Length; )
            {
                var count = Write(_descriptor, bytes + done, (nuint)(buffer.Length - done));
                if (count >= 0)
                    done += (int)count;
                else if (!MayTryAgain(Marshal.GetLastPInvokeError()))
                    return;
            }
        }
    }

    /// <summary>Blocks its thread while the reader does not read.</summary>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <returns>False if what is left is dropped.</returns>
    /// <exception cref="OutputException">Standard output does not accept it.</exception>
    private unsafe bool MayTryAgain(int error)
    {
        if (error == Interrupted)
            return true;
        if (error == TryAgain)
        {
            // Another process made the terminal or pipe non-blocking.
            var wait = new PollRequest { Descriptor = _descriptor, Events = ReadyToWrite };
            _ = Poll(&wait, 1, -1);
            return true;
        }

        return _descriptor == ErrorDescriptor
            ? false
            : throw OutputException.OfStandardOutput(error, Marshal.GetPInvokeErrorMessage(error));
    }

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static unsafe partial nint Write(int descriptor, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static unsafe partial int Poll(PollRequest* requests, nuint count, int timeout);

    /// <summary><c>struct pollfd</c> (poll(2)).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PollRequest
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}
