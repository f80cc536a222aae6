using System.IO.Hashing;

namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>
/// Reads the header of a gzip member (RFC 1952, 2.3) in pieces of any size, and keeps nothing of it. ISA-L can read
/// headers too, but <c>isal_inflate</c> of 2.30 writes a name of more than a few bytes to where an uninitialized
/// variable points.
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

    /// <summary>Two bytes of magic, and the method: deflate.</summary>
    private static ReadOnlySpan<byte> Magic => [0x1f, 0x8b, 8];

    private readonly Crc32 _sum;
    private Step _step;
    private int _left; // bytes of the step that are missing
    private byte _flags;
    private ushort _value; // the last two bytes, little-endian
    private ushort _expected;
    private uint _field; // the header of the current extra field: its name, and its length in the upper half
    private int _fieldBytes; // bytes of that header
    private int _fieldLeft; // bytes of the field's content that are missing
    private bool _isFirstField;

    public GzipHeaderReader() => (_sum, _left, _isFirstField) = (new Crc32(), FixedSize, true);

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

    /// <summary>Whether the header is complete, and the data follow.</summary>
    public readonly bool IsDone => _step == Step.Done;

    /// <summary>Reads the next piece.</summary>
    /// <returns>How many of its bytes belong to the header.</returns>
    /// <exception cref="InvalidDataException">It is not a header.</exception>
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
            _expected = unchecked((ushort)_sum.GetCurrentHashAsUInt32());
        var taken = input[..Math.Min(_left, input.Length)];
        if (_step == Step.Extra)
            ReadExtra(taken);
        else
            ReadBytes(taken);
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

    private void ReadBytes(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            if (_step == Step.Fixed)
                CheckFixed(FixedSize - _left, value);
            _value = unchecked((ushort)((_value >> 8) | (value << 8)));
            _left--;
        }

        _left += bytes.Length;
    }

    private void CheckFixed(int offset, byte value)
    {
        if (offset < FlagsOffset && value != Magic[offset])
            throw new InvalidDataException("its header is not gzip's");
        if (offset != FlagsOffset)
            return;
        if ((value & ReservedFlags) != 0)
            throw new InvalidDataException("its header has a reserved flag");
        _flags = value;
    }

    /// <summary>
    /// Extra fields fill their length exactly, each with its own header (RFC 1952, 2.3.1.1). A damaged length that
    /// reaches into a later block would otherwise hide the blocks between, as <c>gunzip</c> does without a word.
    /// </summary>
    private void ReadExtra(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_fieldLeft > 0)
            {
                var skipped = Math.Min(_fieldLeft, bytes.Length);
                _fieldLeft -= skipped;
                bytes = bytes[skipped..];
                continue;
            }

            _field |= (uint)bytes[0] << 8 * _fieldBytes++;
            bytes = bytes[1..];
            if (_fieldBytes == FieldHeaderSize)
                StartField();
        }
    }

    private void StartField()
    {
        if (_isFirstField && GzipMember.IsWrongExtra(_field, _value))
            throw new InvalidDataException("the length of a block's extra field is wrong");
        _fieldLeft = (int)(_field >> 16);
        (_field, _fieldBytes, _isFirstField) = (0, 0, false);
    }

    /// <summary>Chooses the next step; fields that the flags do not announce are skipped.</summary>
    private void Next()
    {
        if (_step == Step.Checksum && _value != _expected)
            throw new InvalidDataException("its header's CRC is wrong");
        if (_step == Step.Extra && (_fieldLeft > 0 || _fieldBytes > 0))
            throw new InvalidDataException("its extra fields do not fill their length");
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
