using System.Buffers;
using System.Buffers.Binary;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Fuzzing.Inputs;

/// <summary>
/// Makes a send stream of a short program, with correct lengths, GUIDs and checksums unless the program changes them: a
/// reader of random bytes would never get past the first checksum. Every sequence of bytes is a program. An instruction
/// is a byte, of which only the low four bits matter: 0 to 10 make a record of that type, of whose fields those in <see
/// cref="RecordLayout"/> follow as numbers; the others change the record before them.
/// </summary>
internal ref struct StreamProgram
{
    /// <summary>A byte of the header is set, before checksums are made: offset, value.</summary>
    public const byte Patch = 11;

    /// <summary>A byte of the whole record is changed, after checksums were made: offset, difference.</summary>
    public const byte Damage = 12;

    /// <summary>Bytes at the end of the record are left out: how many.</summary>
    public const byte Cut = 13;

    /// <summary>Bytes follow the record: their number, themselves.</summary>
    public const byte Bytes = 14;

    /// <summary>The record is repeated.</summary>
    public const byte Again = 15;

    /// <summary>Longer payloads than this are not made: their records announce more than follows.</summary>
    private const int LongestPayload = 20 * 1024;

    private const int LongestStream = 256 * 1024;

    private readonly ArrayBufferWriter<byte> _stream = new();
    private readonly List<(ulong Offset, byte Difference)> _damages = [];
    private readonly byte[] _header = new byte[RecordHeader.Size];
    private readonly ChecksumMender _mender = new();
    private byte[] _beginPayload = [];
    private bool _hasRecord;
    private bool _isTwice;
    private ulong _cut;
    private ulong _guid;
    private bool _raw;
    private ByteSource _source;

    private StreamProgram(ReadOnlySpan<byte> program) => _source = new ByteSource(program);

    public static byte[] Build(ReadOnlySpan<byte> program)
    {
        var building = new StreamProgram(program);
        while (!building._source.IsEmpty && building._stream.WrittenCount < LongestStream)
            building.Step();
        building.WriteRecord();
        return building._stream.WrittenSpan.ToArray();
    }

    private void Step()
    {
        var instruction = (byte)(_source.NextByte() & 15);
        if (instruction is not (Patch or Damage or Cut or Again))
            WriteRecord();
        switch (instruction)
        {
            case Patch:
                _header[(int)(_source.NextNumber(1) % RecordHeader.Size)] = _source.NextByte();
                break;
            case Damage:
                _damages.Add((_source.NextNumber(1), _source.NextByte()));
                break;
            case Cut:
                _cut = _source.NextNumber(1);
                break;
            case Bytes:
                _stream.Write(_source.Take(_source.NextByte()));
                break;
            case Again:
                _isTwice = true;
                break;
            case (byte)RecordType.Begin:
                StartBegin();
                break;
            default:
                Start((RecordType)instruction);
                break;
        }
    }

    private void StartBegin()
    {
        _beginPayload = BeginInstruction.Read(ref _source, _header);
        _hasRecord = true;
        _guid = BinaryPrimitives.ReadUInt64LittleEndian(_header.AsSpan(RecordLayout.FieldsOffset + 32));
        _raw = (new RecordHeader(_header).AsBegin().Features & StreamFeatures.Raw) != StreamFeatures.None;
    }

    private void Start(RecordType type)
    {
        var fields = RecordLayout.FieldsOf(type);
        Span<ulong> values = stackalloc ulong[fields.Count];
        for (var i = 0; i < values.Length; i++)
            values[i] = _source.NextNumber(fields[i].Unit);
        RecordLayout.Make(_header, type, values, _guid, _raw);
        _hasRecord = true;
    }

    private void WriteRecord()
    {
        for (
            var times = _hasRecord
                ? _isTwice
                    ? 2
                    : 1
                : 0;
            times > 0;
            times--
        )
            WriteOnce();
        (_hasRecord, _isTwice, _cut) = (false, false, 0);
        _damages.Clear();
    }

    private readonly void WriteOnce()
    {
        var header = new RecordHeader(_header);
        var payload = header.Type == RecordType.Begin ? _beginPayload : Payload(header);
        _mender.Mend(_header, payload);
        byte[] record = [.. _header, .. payload];
        foreach (var (offset, difference) in _damages)
            record[offset % (ulong)record.Length] ^= difference;
        _stream.Write(record.AsSpan(0, record.Length - (int)Math.Min(_cut, (ulong)record.Length)));
    }

    /// <summary>
    /// Payloads differ by offset, so a mix-up is detected. Spill blocks of an object that have the same length are
    /// equal, since a sender marks those that did not change.
    /// </summary>
    private readonly byte[] Payload(RecordHeader header)
    {
        var first =
            header.Type == RecordType.Spill
                ? (int)header.AsSpill().Object
                : _stream.WrittenCount + ((int)_guid * 0x10001);
        var payload = new byte[Math.Min(header.PayloadLength, LongestPayload)];
        for (var i = 0; i + sizeof(int) <= payload.Length; i += sizeof(int))
            BinaryPrimitives.WriteInt32LittleEndian(payload.AsSpan(i), first + i);
        return payload;
    }
}
