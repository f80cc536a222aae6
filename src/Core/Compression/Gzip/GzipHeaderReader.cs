using System.IO.Hashing;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>
/// Reads a gzip member's header (RFC 1952, 2.3) in pieces of any size, and keeps nothing of it. ISA-L reads headers,
/// too, but in <c>isal_inflate</c> of 2.30 it puts names of more than some bytes where a variable that was never set
/// points to.
/// </summary>
internal struct GzipHeaderReader
{
    private const int FixedSize = 10;
    private const int FieldHeaderSize = sizeof(uint);
    private const int FlagsOffset = 3;
    private const byte HasChecksum = 0x02,
        HasExtra = 0x04,
        HasName = 0x08,
        HasComment = 0x10,
        ReservedFlags = 0xe0;

    private readonly Crc32 _sum;
    private Step _step;
    private int _left; // bytes of the step
    private byte _flags;
    private ushort _value; // of the two bytes that are read last
    private ushort _expected;
    private uint _field; // the first bytes of the extra fields
    private int _fieldBytes;

    public GzipHeaderReader() => (_sum, _left) = (new Crc32(), FixedSize);

    private enum Step
    {
        Fixed,
        ExtraLength,
        Extra,
        Name,
        Comment,
        Checksum,
        Done,
    }

    /// <summary>Whether the data follow.</summary>
    public readonly bool IsDone => _step == Step.Done;

    /// <summary>Reads on.</summary>
    /// <returns>How many bytes were the header's.</returns>
    /// <exception cref="InvalidDataException">It is no header.</exception>
    public int Read(ReadOnlySpan<byte> input)
    {
        var used = 0;
        while (used < input.Length && !IsDone)
            used += ReadStep(input[used..]);
        return used;
    }

    private int ReadStep(ReadOnlySpan<byte> input)
    {
        if (_step is Step.Name or Step.Comment)
            return ReadText(input);
        if (_step == Step.Checksum && _left == sizeof(ushort))
            _expected = (ushort)_sum.GetCurrentHashAsUInt32();
        var taken = input[..Math.Min(_left, input.Length)];
        if (_step == Step.Extra)
            LookAtExtra(taken);
        else
            Look(taken);
        _sum.Append(taken);
        _left -= taken.Length;
        if (_left == 0)
            Next();
        return taken.Length;
    }

    private int ReadText(ReadOnlySpan<byte> input)
    {
        var end = input.IndexOf((byte)0);
        var taken = end < 0 ? input : input[..(end + 1)];
        _sum.Append(taken);
        if (end >= 0)
            Next();
        return taken.Length;
    }

    private void Look(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            if (_step == Step.Fixed)
                LookAtFixed(FixedSize - _left, value);
            _value = (ushort)((_value >> 8) | (value << 8));
            _left--;
        }

        _left += bytes.Length;
    }

    private void LookAtFixed(int offset, byte value)
    {
        if (
            offset < FlagsOffset
            && value
                != (
                    offset switch
                    {
                        0 => 0x1f,
                        1 => 0x8b,
                        _ => 8,
                    }
                )
        )
            throw new InvalidDataException("its header is none of gzip's");
        if (offset != FlagsOffset)
            return;
        if ((value & ReservedFlags) != 0)
            throw new InvalidDataException("its header has a reserved flag");
        _flags = value;
    }

    private void LookAtExtra(ReadOnlySpan<byte> bytes)
    {
        if (_fieldBytes == FieldHeaderSize)
            return;
        foreach (var value in bytes[..Math.Min(bytes.Length, FieldHeaderSize - _fieldBytes)])
            _field |= (uint)value << 8 * _fieldBytes++;
        if (_fieldBytes == FieldHeaderSize && GzipMember.IsWrongExtra(_field, _value))
            throw new InvalidDataException("the length of a block's extra field is wrong");
    }

    /// <summary>What comes next; what the flags do not announce is not there.</summary>
    private void Next()
    {
        if (_step == Step.Checksum && _value != _expected)
            throw new InvalidDataException("its header's CRC is wrong");
        _step = _step switch
        {
            Step.Fixed when Has(HasExtra) => Step.ExtraLength,
            Step.ExtraLength when _value > 0 => Step.Extra,
            < Step.Name when Has(HasName) => Step.Name,
            < Step.Comment when Has(HasComment) => Step.Comment,
            < Step.Checksum when Has(HasChecksum) => Step.Checksum,
            _ => Step.Done,
        };
        _left = _step == Step.Extra ? _value : sizeof(ushort);
    }

    private readonly bool Has(byte flag) => (_flags & flag) != 0;
}
