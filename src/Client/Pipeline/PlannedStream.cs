using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary>
/// The output of <c>zfs send</c>, of which nothing is passed on before its BEGIN was read and is the one that the plan
/// allows. Not thread-safe.
/// </summary>
/// <param name="source">The output; it stays open.</param>
/// <param name="expected">What the plan allows.</param>
/// <param name="from">The token with which <c>zfs send -t</c> was started; null: it sends the whole stream.</param>
internal sealed class PlannedStream(Stream source, ExpectedStream expected, ResumeToken? from) : ForwardOnlyStream
{
    private const int SliceSize = 4096;

    private readonly SendStreamParser _parser = new();
    private byte[] _held = [];
    private int _given;
    private bool _isChecked;

    public override bool CanRead => true;

    /// <exception cref="UnexpectedStreamException">It is another stream.</exception>
    /// <exception cref="SendStreamException">It does not begin like a stream.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (!_isChecked)
            ReadBegin();
        if (_given == _held.Length)
            return source.Read(buffer);
        var taken = _held.AsSpan(_given, Math.Min(buffer.Length, _held.Length - _given));
        taken.CopyTo(buffer);
        _given += taken.Length;
        return taken.Length;
    }

    /// <summary>
    /// Reads up to the end of BEGIN. A stream that ends before it is passed on as it is: whoever reads it reports that
    /// it ends early, or <c>zfs</c> has said why.
    /// </summary>
    private void ReadBegin()
    {
        using var held = new MemoryStream();
        var slice = new byte[SliceSize];
        int count;
        while (_parser.Begin is null && (count = source.Read(slice, 0, slice.Length)) > 0)
        {
            held.Write(slice, 0, count);
            Parse(slice.AsSpan(0, count));
        }

        if (_parser.Begin is { } begin && expected.FindDifference(begin, from) is { } difference)
            throw new UnexpectedStreamException(expected, difference);
        _held = held.ToArray();
        _isChecked = true;
    }

    private void Parse(ReadOnlySpan<byte> input)
    {
        while (_parser.Begin is null && !input.IsEmpty)
            _ = _parser.Read(ref input, out _);
        if (_parser.Begin is null && _parser.RecordLeft == 0)
            _ = _parser.Read(ref input, out _); // the end of the record is an event of its own
    }
}
