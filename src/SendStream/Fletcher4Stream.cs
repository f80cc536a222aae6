namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// A running checksum over slices of any length; it keeps up to three bytes of an incomplete word.
/// </summary>
internal struct Fletcher4Stream(Fletcher4 state)
{
    private uint _word;
    private int _bits;

    /// <summary>The checksum of all whole words so far.</summary>
    public Fletcher4 State { get; private set; } = state;

    public void Append(ReadOnlySpan<byte> data)
    {
        while (_bits != 0 && !data.IsEmpty)
        {
            AppendByte(data[0]);
            data = data[1..];
        }

        var whole = data.Length & ~3;
        State = State.Append(data[..whole]);
        foreach (var rest in data[whole..])
            AppendByte(rest);
    }

    private void AppendByte(byte value)
    {
        _word |= (uint)value << _bits;
        _bits += 8;
        if (_bits < 32)
            return;
        State = State.Append(_word);
        (_word, _bits) = (0, 0);
    }
}
