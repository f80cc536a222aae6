using System.Text;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>
/// What a command on another machine prints. A shell there that prints text of its own (a greeting in
/// <c>~/.bashrc</c>) does so before the command; its text would be taken for names of snapshots or for a stream.
/// Therefore the command's output begins with a mark, and what is before the mark is not the command's.
/// </summary>
internal sealed class RemoteOutput(Stream source, ZfsRemoteHost host) : ForwardOnlyStream
{
    /// <summary>A line of its own; printed before the output of every command there.</summary>
    internal const string Mark = "zfs-snapshot-manager";

    private const int MostText = 200;

    private static readonly byte[] MarkLine = Encoding.ASCII.GetBytes($"{Mark}\n");

    private bool _isPastMark;

    public override bool CanRead => true;

    /// <exception cref="OperationException">Something else came first.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!_isPastMark)
        {
            var first = new byte[MarkLine.Length];
            var count = await ReadAtLeastAsync(first, cancellationToken);
            if (count == 0)
                return 0; // nothing ran; the exit code says why
            if (!first.AsSpan().SequenceEqual(MarkLine))
            {
                var more = new byte[MostText];
                var length = await ReadAtLeastAsync(more, cancellationToken);
                throw Describe(first.AsSpan(0, count), more.AsSpan(0, length));
            }

            _isPastMark = true;
        }

        return await source.ReadAsync(buffer, cancellationToken);
    }

    /// <exception cref="OperationException">Something else came first.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (!_isPastMark)
        {
            var first = new byte[MarkLine.Length];
            var count = source.ReadAtLeast(first, first.Length, throwOnEndOfStream: false);
            if (count == 0)
                return 0;
            if (!first.AsSpan().SequenceEqual(MarkLine))
            {
                var more = new byte[MostText];
                var length = source.ReadAtLeast(more, more.Length, throwOnEndOfStream: false);
                throw Describe(first.AsSpan(0, count), more.AsSpan(0, length));
            }

            _isPastMark = true;
        }

        return source.Read(buffer);
    }

    private ValueTask<int> ReadAtLeastAsync(byte[] buffer, CancellationToken cancellationToken) =>
        source.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);

    private OperationException Describe(ReadOnlySpan<byte> first, ReadOnlySpan<byte> more)
    {
        var text = Encoding.UTF8.GetString([.. first, .. more]);
        var end = text.IndexOf(Mark, StringComparison.Ordinal);
        var own = (end < 0 ? text : text[..end]).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var line = new string([.. (own.FirstOrDefault() ?? "").Where(c => !char.IsControl(c)).Take(MostText)]);
        return new OperationException(
            ExitCode.Zfs,
            $"The account {host.Destination} prints text of its own before the output of a command: '{line}'. "
                + "Nothing was read from it.",
            $"'ssh -T {host.Destination} true' must print nothing: let ~/.bashrc and the like print only in "
                + "interactive shells.",
            kind: FailureKind.User
        );
    }
}
